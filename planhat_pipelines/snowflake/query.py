"""Statements to polars frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from planhat_pipelines.snowflake.tables import Table

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def frame_of(session: SnowflakeConnection, sql: str, values: Sequence[str] = ()) -> pl.DataFrame:
    """The whole result; for statements that bound their rows themselves. An empty one has its columns, as text.
    `values` fill the statement's %s.

    Snowflake narrows whole numbers by the values of each batch, so batches are brought to a common type.
    """
    with _cursor(session) as cursor:
        cursor.execute(sql, values or None)
        batches = [cast("pl.DataFrame", pl.from_arrow(batch)) for batch in cursor.fetch_arrow_batches()]
        if not batches:
            return pl.DataFrame(schema={column.name: pl.String for column in cursor.description})
        return pl.concat(batches, how="vertical_relaxed")


def one_row(session: SnowflakeConnection, sql: str) -> tuple[Any, ...]:
    """The only row of a statement that has one."""
    with _cursor(session) as cursor:
        return cursor.execute(sql).fetchone()


def last_commit(session: SnowflakeConnection, table: Table) -> str | None:
    """A token that changes with every commit to the table, or None where Snowflake cannot tell. Asking starts no
    warehouse. (Snowflake documentation, SYSTEM$LAST_CHANGE_COMMIT_TIME: compare it, do not read it as a time.)"""
    from snowflake.connector.errors import ProgrammingError

    name = table.sql.replace("\\", "\\\\").replace("'", "''")
    try:
        (commit,) = one_row(session, f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{name}')")
    except ProgrammingError:  # some views cannot tell
        return None
    return None if commit is None else str(commit)


def _cursor(session: SnowflakeConnection) -> Any:
    return session.cursor()  # the connector types its frames as unknown
