"""One session's connection: fakesnow's, with who signed in, the parameters of the session and its transaction."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection
from snowflake.connector.cursor import DictCursor, SnowflakeCursor

from planhat_pipelines.sandbox.snowflake.account import Account
from planhat_pipelines.sandbox.snowflake.errors import problem
from planhat_pipelines.sandbox.snowflake.names import TableName


class Connection(FakeSnowflakeConnection):
    """What a signed-in session has. A database or schema that does not exist is not made: the session has none."""

    def __init__(
        self,
        account: Account,
        *,
        user: str,
        role: str | None,
        warehouse: str | None,
        database: str | None,
        schema: str | None,
        parameters: dict[str, Any],
    ) -> None:
        super().__init__(
            account.duckdb.cursor(),
            account.results,
            create_database=False,
            create_schema=False,
            db_path=account.folder,
            autocommit=bool(parameters.get("AUTOCOMMIT", True)),
            paramstyle="qmark",
        )
        self.account = account
        self.user = user
        self.role = role
        self.warehouse = warehouse
        self.parameters = parameters
        self.session_id = uuid.uuid4().int >> 80
        self.has_variables = False
        self.last_query_id: str | None = None
        self.temporary_tables: dict[str, TableName] = {}
        self.last_commit: datetime | None = None
        self.touched: set[TableName] = set()
        if database and account.has_database(database):
            self.use(database, schema or "PUBLIC")

    @property
    def duck(self) -> Any:
        """The session's DuckDB connection."""
        return self._duck_conn

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: begun by the session, or by the first change with autocommit off."""
        return self._in_transaction

    @in_transaction.setter
    def in_transaction(self, value: bool) -> None:
        self._in_transaction = value

    @property
    def autocommits(self) -> bool:
        """Whether every statement outside a transaction is one of its own."""
        return self._autocommit

    def autocommit(self, mode: bool) -> None:
        """Switch autocommit; an open transaction is committed."""
        super().autocommit(mode)
        self.committed()

    def refuse_commit_of_failed_transaction(self) -> None:
        """DuckDB gives up a transaction when a statement fails, and its COMMIT says nothing of it.

        Snowflake would commit the statements that succeeded. Rather than lose them in silence, say so.
        """
        try:
            self._duck_conn.execute("SELECT 1")
        except duckdb.TransactionException as error:
            self.in_transaction = False
            self.touched.clear()
            self._duck_conn.rollback()
            text = "The transaction was rolled back, as one of its statements failed. Nothing was committed."
            raise problem(625, "57014", text) from error

    def commit_open(self) -> None:
        """Commit the open transaction, if there is one, as Snowflake does before a definition statement."""
        if self.in_transaction:
            self.in_transaction = False
            self._duck_conn.commit()
            self.committed()

    def committed(self) -> None:
        """Note the commit on the tables that were changed in it."""
        touched, self.touched = self.touched, set()
        if touched:
            self.last_commit = self.account.record_commit(touched)

    def use(self, database: str, schema: str) -> None:
        """Make this the session's database, and the schema its schema where it exists."""
        self.database, self.database_set = database, True
        found = self.account.has_schema(database, schema)
        self._schema, self.schema_set = (schema if found else None), found
        self._duck_conn.execute(f"SET schema='{database}.{schema if found else 'main'}'")

    def use_none(self) -> None:
        """Leave the current database."""
        self.database, self.database_set, self._schema, self.schema_set = None, False, None, False
        self._duck_conn.execute("SET schema='memory.main'")

    def cursor(self, cursor_class: type[SnowflakeCursor] = SnowflakeCursor) -> Any:
        """A cursor onto this session."""
        from planhat_pipelines.sandbox.snowflake.cursor import Cursor

        return Cursor(self, self._duck_conn, use_dict_result=issubclass(cursor_class, DictCursor))
