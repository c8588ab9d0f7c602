"""A warehouse table of the world: its Snowflake types and its rows as a typed frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is fully qualified; `columns` gives the Snowflake type of each; the first column is the key.

    VARIANT columns hold JSON text. `tracked` tables are made with change tracking on.
    """

    name: str
    columns: Mapping[str, str]
    tracked: bool
    rows: pl.DataFrame = field(repr=False)

    @property
    def key(self) -> str:
        return next(iter(self.columns))


def table(name: str, columns: str, rows: Iterable[tuple[Any, ...]], *, tracked: bool) -> Table:
    """A table from `"ID TEXT, ARR NUMBER(12,2)"` and rows in that order."""
    parts = (column.partition(" ") for column in re.split(r",\s+", columns.strip()))
    types = {column: kind for column, _, kind in parts}
    schema = {column: _dtype(kind) for column, kind in types.items()}
    return Table(name, types, tracked, pl.DataFrame(list(rows), schema=schema, orient="row"))


def variant(value: Any) -> str:
    """JSON text as a VARIANT column takes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def money(units: float) -> Decimal:
    return Decimal(round(units * 100)).scaleb(-2)


def _dtype(kind: str) -> pl.DataType:
    number = re.fullmatch(r"NUMBER\((\d+),(\d+)\)", kind)
    if number:
        precision, scale = int(number[1]), int(number[2])
        return pl.Decimal(precision, scale) if scale else pl.Int64()
    match kind:
        case "TEXT" | "VARIANT":
            return pl.String()
        case "BOOLEAN":
            return pl.Boolean()
        case "DATE":
            return pl.Date()
        case "TIMESTAMP_NTZ":
            return pl.Datetime("us")
        case "TIMESTAMP_TZ":
            return pl.Datetime("us", "UTC")
        case _:
            raise ValueError(f"no frame type for the column type {kind!r}")
