"""Statements to polars frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import polars as pl

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def frame_of(session: SnowflakeConnection, sql: str) -> pl.DataFrame:
    """The whole result; for statements that bound their rows themselves. An empty one has its columns, as text.

    Snowflake narrows whole numbers by the values of each batch, so batches are brought to a common type.
    """
    with _cursor(session) as cursor:
        cursor.execute(sql)
        batches = [cast("pl.DataFrame", pl.from_arrow(batch)) for batch in cursor.fetch_arrow_batches()]
        if not batches:
            return pl.DataFrame(schema={column.name: pl.String for column in cursor.description})
        return pl.concat(batches, how="vertical_relaxed")


def one_row(session: SnowflakeConnection, sql: str) -> tuple[Any, ...]:
    """The only row of a statement that has one."""
    with _cursor(session) as cursor:
        return cursor.execute(sql).fetchone()


def _cursor(session: SnowflakeConnection) -> Any:
    return session.cursor()  # the connector types its frames as unknown
