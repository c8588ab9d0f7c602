"""Results as the connector expects them on the wire: Arrow with Snowflake's metadata for queries, JSON for DML."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast

import fakesnow.arrow
import pyarrow
import pyarrow.compute
from fakesnow.rowtype import ColumnInfo

pa: Any = pyarrow
pc: Any = pyarrow.compute
to_snowflake_schema = cast(Any, fakesnow.arrow.to_sf_schema)

UTC_OFFSET = 1440
"""Snowflake counts a time zone's offset in minutes from 1440 = UTC."""


def json_rows(table: Any) -> dict[str, Any]:
    """The answer of a DML statement: its counts as text, from which the connector takes the row count."""
    rows = zip(*[column.to_pylist() for column in table.columns], strict=True)
    return {
        "queryResultFormat": "json",
        "rowset": [[None if value is None else str(value) for value in row] for row in rows],
    }


def arrow_rows(table: Any, rowtype: list[ColumnInfo]) -> dict[str, Any]:
    """The answer of a query: one Arrow stream in base64, or nothing where there are no rows."""
    stream = b64encode(arrow_stream(table, rowtype)).decode() if table.num_rows else ""
    return {"queryResultFormat": "arrow", "rowsetBase64": stream}


def arrow_stream(table: Any, rowtype: list[ColumnInfo]) -> Any:
    """A table as an Arrow stream in Snowflake's own encoding of times and timestamps."""
    columns = [_encoded(column) for column in table.columns]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    encoded = pa.Table.from_arrays(columns, schema=to_snowflake_schema(pa.schema(fields), rowtype))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, encoded.schema) as writer:
        writer.write_table(encoded)
    return sink.getvalue()


def _encoded(column: Any) -> Any:
    if pa.types.is_timestamp(column.type):
        return _timestamps(_in_one_piece(column))
    if pa.types.is_time(column.type):
        return pc.multiply(column.cast(pa.int64()), 1000)
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    return column


def _timestamps(column: Any) -> Any:
    """Seconds and nanoseconds, with the offset where there is one. A null stays null."""
    moments = column.cast(pa.timestamp("us", column.type.tz))
    floored = pc.floor_temporal(moments, unit="second").cast(pa.int64()).fill_null(0)
    rest = pc.subtract(moments.cast(pa.int64()).fill_null(0), floored)
    seconds, nanos = pc.divide(floored, 1_000_000), pc.multiply(rest, 1000).cast(pa.int32())
    names, parts = ["epoch", "fraction"], [seconds, nanos]
    if column.type.tz:
        names.append("timezone")
        parts.append(pa.array([UTC_OFFSET] * len(column), pa.int32()))
    fields = [pa.field(name, part.type, nullable=False) for name, part in zip(names, parts, strict=True)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=column.is_null())


def _in_one_piece(column: Any) -> Any:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
