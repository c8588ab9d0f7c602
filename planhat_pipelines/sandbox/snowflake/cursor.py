"""fakesnow's cursor, told what it does not know of Snowflake: transactions, change tracking, MERGE, sessions."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any, cast

import sqlglot
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.params import MutableParams
from fakesnow.statement_type import statement_type_id
from fakesnow.transforms import SUCCESS_NOP
from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake import bulk, catalogue, definitions, grants, merge, statements
from planhat_pipelines.sandbox.snowflake.bindings import with_literals
from planhat_pipelines.sandbox.snowflake.changes import TimeTravel
from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import is_conflict, problem
from planhat_pipelines.sandbox.snowflake.names import folded, quoted, table_name

LOCK_PATIENCE = 20.0
"""Seconds a statement outside a transaction waits for rows that another transaction is changing."""
CHANGING = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
UNCOUNTED = (exp.Copy, exp.TruncateTable)
"""These change rows too but do not say how many."""


class Cursor(FakeSnowflakeCursor):
    """Runs one statement of a session."""

    def __init__(self, connection: Connection, duck: Any, use_dict_result: bool = False) -> None:
        super().__init__(connection, duck, use_dict_result)
        self._session = connection
        self.type_id = 0
        self._columns: list[tuple[Any, ...]] | None = None
        account = connection.account
        self._time_travel = TimeTravel(
            account.registry, account.tracker, account.clock, self._constant, account.completed.get
        )

    @property
    def columns(self) -> list[Any]:
        """The columns of the result as DESCRIBE lists them."""
        return self._describe_last_sql()

    @property
    def table(self) -> Any:
        """The result as an Arrow table."""
        return cast(Any, self._arrow_table)

    @property
    def upload(self) -> Any:
        """Where the client is to put its files, when the statement was a PUT."""
        last = cast(Any, self._last_transformed)
        return last.args.get("put_stage_data") if last else None

    def describe_only(self, command: str) -> list[Any] | None:
        """The columns a statement would return, or None when only running it can tell."""
        return cast("list[Any] | None", self._describe_only(command))

    def execute(
        self,
        command: str,
        params: Sequence[Any] | dict[Any, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> FakeSnowflakeCursor:
        """Run one statement as Snowflake would understand it; parameters stand for question marks or names."""
        if found := bulk.from_literals(command):
            self._execute_bulk(found)
            return self
        bound: Any = kwargs.get("binding_params") or params
        named, listed = (cast(Any, bound), []) if isinstance(bound, dict) else (None, list[Any](bound or ()))
        text = with_literals(command, listed) if listed else command
        if self._session.has_variables:
            text = self._inline_variables(text)
        expression = statements.prepared(parse_one(text), self._session)
        self.type_id = statement_type_id(expression)
        self.check_db_and_schema(expression)
        grants.check(expression, self._session)
        self._session.last_commit = None
        self._patiently(expression, cast("MutableParams | None", named))
        self._session.last_query_id = self.sfqid
        if self.sfqid:
            account = self._session.account
            account.completed[self.sfqid] = self._session.last_commit or account.clock.now()
        return self

    def execute_rows(self, command: str, rows: list[Any]) -> int:
        """Run one statement for each of many parameter sets; the rows it affected in all."""
        if found := bulk.from_bindings(command, rows):
            self._execute_bulk(found)
            return self.rowcount or 0
        total = 0
        for row in rows:
            self.execute(command, row)
            total += self.rowcount or 0
        return total

    def _execute_bulk(self, found: bulk.Bulk) -> None:
        self._duck_conn.register(bulk.ROWS, found.rows)
        try:
            self.execute(found.sql)
        finally:
            self._duck_conn.unregister(bulk.ROWS)

    def _patiently(self, expression: Expr, params: MutableParams | None) -> None:
        """Snowflake makes a statement wait for locked rows where DuckDB refuses: outside a transaction, try again."""
        until = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                return self._dispatch(expression.copy(), params)
            except Exception as error:
                if self._session.in_transaction or not is_conflict(error) or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(0.002, 0.03))  # noqa: S311

    def _dispatch(self, expression: Expr, params: MutableParams | None) -> None:
        session = self._session
        session.has_variables |= isinstance(expression, exp.Set)
        if isinstance(expression, exp.Transaction) and session.in_transaction:
            return self._execute(SUCCESS_NOP.copy())
        if isinstance(expression, exp.Commit):
            session.refuse_commit_of_failed_transaction()
        if definitions.is_definition(expression):
            session.commit_open()
            return definitions.run(expression, session, lambda statement: self._run(statement, params))
        if isinstance(expression, (exp.Merge, exp.Insert)):
            self._atomically(expression, params)
        else:
            self._run(expression, params)
        self._follow_up(expression)
        return None

    def _follow_up(self, expression: Expr) -> None:
        """Keep the session's transaction and the tables it changed in view."""
        session = self._session
        if isinstance(expression, (exp.Transaction, exp.Commit, exp.Rollback)):
            session.in_transaction = isinstance(expression, exp.Transaction)
        if isinstance(expression, exp.Rollback):
            session.touched.clear()
        elif isinstance(expression, UNCOUNTED) or (isinstance(expression, CHANGING) and self.rowcount):
            session.touched |= self._targets(expression)
        if not session.in_transaction:
            session.committed()

    def _targets(self, expression: Expr) -> set[Any]:
        tables = expression.expressions if isinstance(expression, exp.TruncateTable) else [expression.this]
        found: set[Any] = set()
        for item in tables:
            table = item.this if isinstance(item, exp.Schema) else item
            if isinstance(table, exp.Table) and folded(table.this) not in self._session.temporary_tables:
                found.add(table_name(table, self._session.database, self._session.schema))
        return found

    def _atomically(self, expression: Expr, params: MutableParams | None) -> None:
        """Run what fakesnow splits into several statements in one transaction, unless one is open."""
        run = self._merge if isinstance(expression, exp.Merge) else self._run
        if self._session.in_transaction:
            return run(expression, params)
        if isinstance(expression, exp.Insert) and not expression.args.get("overwrite"):
            return run(expression, params)
        self._duck_conn.begin()
        self._session.in_transaction = not self._session.autocommits
        try:
            run(expression, params)
        except BaseException:
            self._session.in_transaction = False
            self._duck_conn.rollback()
            raise
        if self._session.autocommits:
            self._duck_conn.commit()
        return None

    def _merge(self, expression: Expr, params: MutableParams | None) -> None:
        statement = cast(exp.Merge, expression)
        candidates, *rest = merge.split(statement)
        # straight to DuckDB: as a CREATE, fakesnow would commit the open transaction before it
        self._duck_conn.execute(self._transform(candidates, None).sql(dialect="duckdb"))
        ambiguous = merge.ambiguous_rows(statement)
        if ambiguous and self._duck_conn.execute(ambiguous).fetchone():
            raise problem(100090, "42P18", "Duplicate row detected during DML action")
        for part in rest:
            self._execute(self._transform(part, None))

    def _run(self, expression: Expr, params: MutableParams | None) -> None:
        for statement in self._transform_explode(expression):
            transformed = self._transform(statement, params)
            self._execute(transformed, params if transformed.find(exp.Placeholder) else None)

    def _transform(self, expression: Expr, params: MutableParams | None) -> Expr:
        """fakesnow's transforms, with what it cannot know put in afterwards: histories and views that know more."""
        statements.unqualify(expression, self._session)
        histories: dict[str, tuple[str, str]] = {}
        for table in list(expression.find_all(exp.Table)):
            if table.args.get("changes") or table.args.get("when"):
                name = table_name(table, self._session.database, self._session.schema)
                alias = table.args["alias"].this if table.args.get("alias") else table.this
                mark = f"_HISTORY_{len(histories)}"
                histories[mark] = (self._time_travel.sql(table, name), folded(alias))
                table.replace(exp.to_table(mark))
        transformed = super()._transform(expression, params).transform(catalogue.redirected, copy=False)
        for identifier in transformed.find_all(exp.Identifier):
            if identifier.name.lower() in self._session.account.reserved_words:
                identifier.set("quoted", True)
        for table in list(transformed.find_all(exp.Table)):
            if found := histories.get(table.name):
                sql, alias = found
                query = sqlglot.parse_one(f"SELECT * FROM ({sql}) AS {quoted(alias)}", read="duckdb")
                table.replace(query.args["from_"].this)
        return transformed

    def _constant(self, value: Expr) -> Any:
        sql = super()._transform(exp.select(value.copy()), None).sql(dialect="duckdb")
        with self._session.account.duckdb.cursor() as duck:
            row = duck.execute(sql).fetchone()
        return row and row[0]

    def _execute(self, transformed: Expr, params: MutableParams | None = None) -> None:
        statements.mend_metadata(transformed)
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
            self._session.account.open_database(created)
        if current := created or used:
            self._session.use(str(current), "PUBLIC")

    def _describe_last_sql(self) -> list[Any]:
        # the result knows its columns; planning the statement once more would cost as much as running it
        return cast("list[Any]", super()._describe_last_sql()) if self._columns is None else self._columns
