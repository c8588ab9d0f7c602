"""Rows of ours in Snowflake, for the length of one statement.

A temporary table and the stage that belongs to it need no privilege but USAGE on the schema, are seen by this session
alone, and are gone with it. One Parquet file is loaded in about the time of one INSERT, however many rows it has.
(Snowflake documentation, CREATE TABLE, PUT, COPY INTO table; temporary tables, table stages.)
"""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from planhat_pipelines.snowflake.errors import Temporary
from planhat_pipelines.snowflake.tables import Table, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_TYPES: dict[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.Boolean(): "BOOLEAN",
    pl.UInt32(): "NUMBER(38, 0)",
}


@contextmanager
def staged(session: SnowflakeConnection, table: Table, rows: pl.DataFrame) -> Generator[str]:
    """The name, as SQL, of a temporary table beside `table` that holds the rows. Columns are texts, booleans or UInt32,
    with plain upper-case names. A CREATE commits what the session had open."""
    from snowflake.connector.errors import Error

    name = f"PLANHAT_STAGE_{secrets.token_hex(6).upper()}"
    schema = f"{quoted(table.database)}.{quoted(table.schema)}"
    stage = f"'{_escaped(f'@{schema}.%{name}')}'"
    types = {column: _TYPES[dtype] for column, dtype in rows.schema.items()}
    defined = ", ".join(f"{column} {kind}" for column, kind in types.items())
    read = ", ".join(f"$1:{column}::{kind}" for column, kind in types.items())
    with session.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {schema}.{name} ({defined})")
        try:
            _put(cursor, stage, rows)
            cursor.execute(
                f"COPY INTO {schema}.{name} ({', '.join(types)}) FROM (SELECT {read} FROM {stage}) "
                f"FILE_FORMAT = (TYPE = PARQUET)"
            )
            loaded = sum(int(row[3]) for row in cursor.fetchall())  # file, status, rows parsed, rows loaded
            if loaded != rows.height:
                raise Temporary(
                    f"{table}: {rows.height} rows were staged and {loaded} arrived. Nothing was written."
                )
            yield f"{schema}.{name}"
        finally:
            with contextlib.suppress(Error):  # a session that is lost has dropped it
                cursor.execute(f"DROP TABLE IF EXISTS {schema}.{name}")


def _put(cursor: Any, stage: str, rows: pl.DataFrame) -> None:
    file = io.BytesIO()
    rows.write_parquet(file, compression="snappy")
    file.seek(0)
    cursor.execute(f"PUT 'file://rows.parquet' {stage} AUTO_COMPRESS = FALSE", file_stream=file)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
