"""Statements to polars frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import polars as pl

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def frames_of(session: SnowflakeConnection, sql: str) -> Iterator[pl.DataFrame]:
    """The result in the batches Snowflake sends it in; nothing at all when it is empty. Types may differ from
    batch to batch, as Snowflake narrows whole numbers by their values."""
    with _cursor(session) as cursor:
        cursor.execute(sql)
        for batch in cursor.fetch_arrow_batches():
            yield cast("pl.DataFrame", pl.from_arrow(batch))


def frame_of(session: SnowflakeConnection, sql: str) -> pl.DataFrame:
    """The whole result, empty ones with their columns; for statements that bound their rows themselves."""
    with _cursor(session) as cursor:
        cursor.execute(sql)
        return cast("pl.DataFrame", pl.from_arrow(cursor.fetch_arrow_all(force_return_table=True)))


def one_row(session: SnowflakeConnection, sql: str) -> tuple[Any, ...]:
    """The only row of a statement that has one."""
    with _cursor(session) as cursor:
        return cursor.execute(sql).fetchone()


def _cursor(session: SnowflakeConnection) -> Any:
    return session.cursor()  # the connector types its frames as unknown
