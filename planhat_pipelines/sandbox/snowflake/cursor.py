"""fakesnow's cursor, told what it does not know of Snowflake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.params import MutableParams
from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake import statements
from planhat_pipelines.sandbox.snowflake.connection import Connection


class Cursor(FakeSnowflakeCursor):
    """Runs one statement of a session."""

    def __init__(self, connection: Connection, duck: Any, use_dict_result: bool = False) -> None:
        super().__init__(connection, duck, use_dict_result)
        self._session = connection
        self._columns: list[tuple[Any, ...]] | None = None

    @property
    def columns(self) -> list[Any]:
        """The columns of the result as DESCRIBE lists them."""
        return self._describe_last_sql()

    @property
    def table(self) -> Any:
        """The result as an Arrow table."""
        return self._arrow_table

    @property
    def upload(self) -> Any:
        """Where the client is to put its files, when the statement was a PUT."""
        return self._last_transformed and self._last_transformed.args.get("put_stage_data")

    def describe_only(self, command: str) -> list[Any] | None:
        """The columns a statement would return, or None when only running it can tell."""
        return self._describe_only(command)

    def execute(
        self,
        command: str,
        params: Sequence[Any] | dict[Any, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> FakeSnowflakeCursor:
        """Run one statement as Snowflake would understand it; parameters are bound by the server (qmark)."""
        bound = kwargs.get("binding_params") or params
        if bound is not None and not isinstance(bound, (list, dict)):
            bound = list(bound)
        expression = statements.prepared(parse_one(self._inline_variables(command)), self._session)
        self.check_db_and_schema(expression)
        self._run(expression, cast("MutableParams | None", bound))
        self._session.last_query_id = self.sfqid
        return self

    def _run(self, expression: Expr, params: MutableParams | None) -> None:
        for statement in self._transform_explode(expression):
            transformed = self._transform(statement, params)
            self._execute(transformed, params if transformed.find(exp.Placeholder) else None)

    def _execute(self, transformed: Expr, params: MutableParams | None = None) -> None:
        statements.drop_metadata_of_temporary_table(transformed)
        self._columns = None
        super()._execute(transformed, params)
        if not transformed.args.get("result_scan_sfqid"):
            self._columns = [
                (name, str(kind), None, None, None, None)
                for name, kind, *_ in self._duck_conn.description or []
            ]
        self._settle_in_public(transformed)

    def _settle_in_public(self, transformed: Expr) -> None:
        """A new database has a schema PUBLIC; making or using a database makes PUBLIC the current schema."""
        created, used = transformed.args.get("create_db_name"), transformed.args.get("set_database")
        if created:
            self._session.account.open_schema(created, "PUBLIC")
        if created or used:
            self._session.use(created or used, "PUBLIC")

    def _describe_last_sql(self) -> list[Any]:
        # the result itself knows its columns; planning the statement once more would cost as much as running it
        return super()._describe_last_sql() if self._columns is None else self._columns
