"""Read a declared column out of a source frame as text, number, day or instant, without loops over rows.

A frame that comes from a source carries, besides the source's own columns, `ROW`: the row's key as text, by
which every verdict, rejection and parked row names it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from planhat_pipelines.mapping.moments import UNIT, days, instants, placed

ROW = "__row"

_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[(\d+)\]|([^.\["\]]+)')
_LONG = r"\d[\d.]{15}"  # as many digits as a float may not hold


class MappingError(Exception):
    """A mapping that cannot fit the source at all: a column that is not there, or of a hopeless type.

    It is raised before any row is sent and is not worth a retry: the YAML or the table has to change.
    """


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of the source, or one place inside a column that holds JSON text (a VARIANT)."""

    column: str
    path: str | None = None

    @property
    def label(self) -> str:
        """How errors and lineage name it."""
        return f"{self.column}:{self.path}" if self.path else self.column


def raw(cell: Cell, schema: pl.Schema) -> tuple[pl.Expr, pl.DataType]:
    """The cell as it comes, and its type. Raises MappingError when the column is not in the source."""
    if cell.column not in schema:
        raise MappingError(f"the source has no column {cell.column}; it has {', '.join(sorted(schema))}")
    dtype = schema[cell.column]
    if cell.path is None:
        return pl.col(cell.column), dtype
    if dtype != pl.String:
        raise MappingError(f"{cell.label}: only a VARIANT column has paths, and {cell.column} is {dtype}")
    return _at_path(pl.col(cell.column), cell.path), pl.String()


def _at_path(document: pl.Expr, path: str) -> pl.Expr:
    """The frame library reads numbers as floats, so documents with long ones are read by Python."""
    is_long = document.str.contains(_LONG)
    exact = (
        pl.when(is_long)
        .then(document)
        .map_batches(lambda documents: _exactly(documents, path), return_dtype=pl.String)
    )
    return pl.when(is_long).then(exact).otherwise(document.str.json_path_match(json_path(path)))


def _exactly(documents: pl.Series, path: str) -> pl.Series:
    """What lies at the path, with every digit of a number."""
    found = {document: _walk(document, path) for document in documents.drop_nulls().unique()}
    return documents.replace_strict(found, default=None, return_dtype=pl.String) if found else documents


def _walk(document: str, path: str) -> str | None:
    try:
        at: Any = json.loads(document, parse_float=Decimal)
        for quoted, place, plain in _STEP.findall(path):
            at = at[int(place) if place else quoted or plain]
    except (ValueError, LookupError, TypeError):
        return None
    if at is None or isinstance(at, str | Decimal):
        return None if at is None else str(at)
    return json.dumps(at, ensure_ascii=False, separators=(",", ":"), default=float)


def json_path(path: str) -> str:
    """`plan.seats[0].used` as the JSONPath that polars reads; odd keys may stand in quotes."""
    return "$" + "".join(
        f"[{place}]" if place else f"[{_quoted(quoted or plain)}]"
        for quoted, place, plain in _STEP.findall(path)
    )


def _quoted(key: str) -> str:
    return "'" + key.replace("'", "\\'") + "'"


def text(cell: Cell, schema: pl.Schema) -> pl.Expr:
    """The cell as text, empty text as null; ids keep their leading zeros and whole numbers have no `.0`."""
    value, dtype = raw(cell, schema)
    if dtype.is_float():
        whole = value.cast(pl.Int64, strict=False)
        value = pl.when(whole == value).then(whole.cast(pl.String)).otherwise(value.cast(pl.String))
    elif dtype.is_decimal():
        value = value.cast(pl.String).str.replace(r"\.0+$", "")
    elif dtype.is_nested() or dtype == pl.Binary:
        raise MappingError(f"{cell.label}: expected text, found {dtype}")
    else:
        value = value.cast(pl.String)
    stripped = value.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


class Found(NamedTuple):
    """What a cell says, and whether it holds anything. Where it holds something and says nothing, it does not fit;
    that is asked once both are columns, as polars computes an expression anew wherever it stands."""

    expr: pl.Expr
    given: pl.Expr


def number(cell: Cell, schema: pl.Schema) -> Found:
    """The cell as a finite number."""
    value, dtype = raw(cell, schema)
    if not (dtype.is_numeric() or dtype == pl.String):
        raise MappingError(f"{cell.label}: expected a number, found {dtype}")
    given = value.str.strip_chars().replace("", None) if dtype == pl.String else value
    as_float = given.cast(pl.Float64, strict=False)
    return Found(pl.when(as_float.is_finite()).then(as_float), given.is_not_null())


def day(cell: Cell, schema: pl.Schema, timezone: str) -> Found:
    """The cell as a calendar day in `timezone`."""
    value, dtype = raw(cell, schema)
    return Found(day_of(value, dtype, timezone, cell.label)[0], value.is_not_null())


def instant(cell: Cell, schema: pl.Schema, timezone: str) -> Found:
    """The cell as a point in time (UTC)."""
    value, dtype = raw(cell, schema)
    return Found(instant_of(value, dtype, timezone, cell.label)[0], value.is_not_null())


def day_of(value: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> tuple[pl.Expr, pl.Expr]:
    """A value as a calendar day in `timezone`, and whether it is none. A value with an offset is turned into the
    zone first; one without is meant in the zone already."""
    if dtype == pl.Date:
        found = value
    elif isinstance(dtype, pl.Datetime):
        found = (value.dt.convert_time_zone(timezone) if dtype.time_zone else value).dt.date()
    elif dtype == pl.String:
        read = partial(days, timezone=timezone)
        found = value.map_batches(read, return_dtype=pl.Date, is_elementwise=True)
    else:
        raise MappingError(f"{label}: expected a date, found {dtype}")
    return found, value.is_not_null() & found.is_null()


def instant_of(value: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> tuple[pl.Expr, pl.Expr]:
    """A value as a point in time (UTC), and whether it is none; the zone counts as for `day_of`."""
    if dtype == pl.Date:
        found = placed(value.cast(pl.Datetime(UNIT)), timezone)
    elif isinstance(dtype, pl.Datetime):
        found = value.dt.convert_time_zone("UTC") if dtype.time_zone else placed(value, timezone)
        found = found.dt.cast_time_unit(UNIT)
    elif dtype == pl.String:
        read = partial(instants, timezone=timezone)
        found = value.map_batches(read, return_dtype=pl.Datetime(UNIT, "UTC"), is_elementwise=True)
    else:
        raise MappingError(f"{label}: expected a date and time, found {dtype}")
    return found, value.is_not_null() & found.is_null()
