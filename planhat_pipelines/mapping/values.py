"""Source cells as the values Planhat's field types take, ready to be written as JSON.

A value comes in one of two forms: `encodable`, which the frame library writes itself, and JSON text, for numbers
that must not pass through a float and for lists and objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from planhat_pipelines.mapping.columns import MappingError, day_of, instant_of

ValueType = Literal["text", "number", "integer", "boolean", "date", "day", "day_number", "list", "json"]

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
TRUE, FALSE = ["true", "yes", "y", "1", "t", "on"], ["false", "no", "n", "0", "f", "off"]


@dataclass(frozen=True, slots=True)
class Value:
    """An expression, whether a cell holds something that does not fit, and the form of the expression."""

    expr: pl.Expr
    bad: pl.Expr
    is_json: bool = False


def value(source: pl.Expr, dtype: pl.DataType, kind: ValueType, timezone: str, label: str) -> Value:
    """A cell as a value of `kind`. Raises MappingError when the column's type can never become one."""
    if kind in ("list", "json"):
        return _parsed(source, dtype, kind)
    if dtype.is_nested() or dtype == pl.Binary:
        raise MappingError(f"{label}: expected {kind}, found {dtype}")
    return _FORMS[kind](source, dtype, timezone, label)


def _text(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    if dtype.is_decimal():
        source = source.cast(pl.String).str.replace(r"\.0+$", "")
    elif isinstance(dtype, pl.Datetime):
        source = instant_of(source, dtype, timezone, label)[0].dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    elif dtype.is_float():
        whole = source.cast(pl.Int64, strict=False)
        source = pl.when(whole == source).then(whole.cast(pl.String)).otherwise(source.cast(pl.String))
    return Value(source.cast(pl.String), pl.lit(False))


def _number(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    if dtype.is_integer():
        return Value(source, pl.lit(False))
    if dtype.is_float():
        return Value(pl.when(source.is_finite()).then(source), source.is_not_null() & ~source.is_finite())
    if dtype.is_decimal():
        return Value(source.cast(pl.String), pl.lit(False), is_json=True)
    given = (
        _given(source, dtype, "a number", label)
        .str.replace(r"^\+", "")
        .str.replace(r"^(-?)0+([0-9])", "$1$2")
    )
    fits = given.str.contains(_NUMBER) & given.cast(pl.Float64, strict=False).is_finite()
    return Value(pl.when(fits).then(given), given.is_not_null() & ~fits, is_json=True)


def _integer(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    number = _number(source, dtype, timezone, label)
    if not number.is_json and not dtype.is_float():
        return number
    written = number.expr.cast(pl.String).str.replace(r"\.0*$", "")
    whole = written.str.contains(r"^-?[0-9]+$")
    return Value(pl.when(whole).then(written), number.bad | (written.is_not_null() & ~whole), is_json=True)


def _boolean(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    if dtype == pl.Boolean:
        return Value(source, pl.lit(False))
    given = _text(source, dtype, timezone, label).expr.str.strip_chars().str.to_lowercase().replace("", None)
    found = pl.when(given.is_in(TRUE)).then(True).when(given.is_in(FALSE)).then(False)
    return Value(found, given.is_not_null() & found.is_null())


def _date(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    found, bad = instant_of(source, dtype, timezone, label)
    return Value(found.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), bad)


def _day(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    found, bad = day_of(source, dtype, timezone, label)
    return Value(found.cast(pl.String), bad)


def _day_number(source: pl.Expr, dtype: pl.DataType, timezone: str, label: str) -> Value:
    if dtype.is_integer():
        return Value(source, pl.lit(False))
    found, bad = day_of(source, dtype, timezone, label)
    return Value(found.cast(pl.Int32), bad)


_FORMS: dict[str, Callable[[pl.Expr, pl.DataType, str, str], Value]] = {
    "text": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "day": _day,
    "day_number": _day_number,
}


def _given(source: pl.Expr, dtype: pl.DataType, expected: str, label: str) -> pl.Expr:
    if dtype != pl.String:
        raise MappingError(f"{label}: expected {expected}, found {dtype}")
    return source.str.strip_chars().replace("", None)


def _parsed(source: pl.Expr, dtype: pl.DataType, kind: str) -> Value:
    """Lists and objects, written anew in one form: Snowflake does not keep the text of a VARIANT as it was."""
    given = source.cast(pl.String)
    written = given.map_batches(lambda cells: rewritten(cells, kind), return_dtype=pl.String)
    return Value(written, given.is_not_null() & written.is_null(), is_json=True)


def rewritten(cells: pl.Series, kind: str) -> pl.Series:
    """Each different text is parsed once; text that is no JSON counts as a list of itself."""
    distinct = cells.drop_nulls().unique()
    forms = {text: _canonical(text, kind) for text in distinct}
    return cells.replace_strict(forms, default=None, return_dtype=pl.String) if forms else cells


def _canonical(text: str, kind: str) -> str | None:
    try:
        parsed: Any = json.loads(text, parse_constant=_refuse)
    except ValueError:
        if kind == "json" or text.lstrip().startswith("["):
            return None
        parsed = text
    if kind == "list" and not isinstance(parsed, list):
        parsed = [] if parsed is None else [parsed if isinstance(parsed, str | dict) else text]
    return json.dumps(parsed, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
