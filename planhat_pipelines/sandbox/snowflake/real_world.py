"""Query results as a real account sends them, on request: what fakesnow's single tidy batch would never show.

- several batches, the first in the answer and the others behind links of their own;
- whole numbers in the smallest type that holds the values of their batch, so that schemas differ between batches;
- NUMBER with decimals as scaled whole numbers, which the connector reads as floats unless told otherwise;
- VARIANT as indented text with sorted keys.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

import numpy
import pyarrow
import pyarrow.compute
from fakesnow.rowtype import ColumnInfo

pa: Any = pyarrow
pc: Any = pyarrow.compute

FIRST_BATCH_ROWS = 500
LARGEST_BATCH_ROWS = 64_000
LARGEST_SCALED_PRECISION = 18


def batches(table: Any, rowtype: list[ColumnInfo]) -> list[Any]:
    """The result in batches that grow in size, each as a table; one empty table for no rows."""
    found: list[Any] = []
    start, size = 0, FIRST_BATCH_ROWS
    while start < table.num_rows or not found:
        found.append(_as_sent(table.slice(start, size), rowtype))
        start, size = start + size, min(size * 2, LARGEST_BATCH_ROWS)
    return found


def _as_sent(batch: Any, rowtype: list[ColumnInfo]) -> Any:
    columns = [_column(column, info) for column, info in zip(batch.columns, rowtype, strict=True)]
    return pa.Table.from_arrays(columns, names=batch.column_names)


def _column(column: Any, info: ColumnInfo) -> Any:
    if info["type"] == "variant":
        return pa.array([_pretty(text) for text in column.to_pylist()], pa.string())
    if pa.types.is_decimal(column.type) and column.type.precision <= LARGEST_SCALED_PRECISION:
        return _smallest(_unscaled(column.combine_chunks()))
    if pa.types.is_integer(column.type):
        return _smallest(column)
    return column


def _pretty(text: str | None) -> str | None:
    if text is None:
        return None
    return json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)


def _unscaled(column: Any) -> Any:
    """The digits of a decimal column as whole numbers: the low half of each 16-byte value."""
    array = pa.concat_arrays(column.chunks) if hasattr(column, "chunks") else column
    halves = cast(Any, numpy.frombuffer(array.buffers()[1], dtype="<i8"))
    digits = halves[2 * array.offset : 2 * (array.offset + len(array)) : 2]
    return pa.array(digits, pa.int64(), mask=numpy.asarray(array.is_null()))


def _smallest(column: Any) -> Any:
    extremes = pc.min_max(column).as_py()
    low, high = extremes["min"] or 0, extremes["max"] or 0
    for bits, kind in ((8, pa.int8()), (16, pa.int16()), (32, pa.int32()), (64, pa.int64())):
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return column.cast(kind)
    return column.cast(pa.decimal128(38, 0)) if isinstance(high, Decimal) else column
