"""What a column can hold, and how a canonical text becomes its value.

Texts are Planhat's canonical ones: JSON numbers, `true` and `false`, days as 2026-11-22, times in UTC as
2026-11-22T10:00:00.000Z, lists and objects as JSON. They are checked here, before anything is sent: what a column would
cut or refuse does not fit, as the changed value would come back to Planhat as if somebody had edited it. Only numbers
are rounded to the decimals of their column.
The casts name their formats, so that an account's input formats have no say. (Snowflake documentation, data types,
conversion functions.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from planhat_pipelines.snowflake.tables import Column, Table, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"
_NAMES = {"TEXT": "VARCHAR"}
_TIMES = ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")
_JSON = {"VARIANT": "", "ARRAY": "[", "OBJECT": "{"}
_TIME = "YYYY-MM-DD HH24:MI:SS.FF6"
_LEAST_FRACTION = 6  # digits of a second that are kept; Planhat has three


@dataclass(frozen=True, slots=True)
class SnowflakeType:
    """A type as INFORMATION_SCHEMA names it. precision: digits of a NUMBER, digits of a second of a TIMESTAMP."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        name = _NAMES.get(self.name, self.name)
        if name == "NUMBER":
            return f"NUMBER({self.digits}, {self.scale or 0})"
        size = self.length if name == "VARCHAR" else self.precision if name in _TIMES else None
        return name if size is None else f"{name}({size})"

    @property
    def writable(self) -> bool:
        """Whether Planhat has values that such a column can hold."""
        return self.name in {"TEXT", "NUMBER", "FLOAT", "BOOLEAN", "DATE", *_TIMES, *_JSON}

    @property
    def digits(self) -> int:
        """Digits of a NUMBER, those after the point included."""
        return 38 if self.precision is None else self.precision

    @property
    def marks(self) -> bool:
        """Whether such a column can say that a record is gone."""
        return self.name in {"BOOLEAN", "DATE", *_TIMES}

    def problem(self, text: pl.Expr, zone: str) -> pl.Expr:
        """Why a text does not fit, without the text; null where it does, and for null."""
        return pl.when(text.is_not_null()).then(self._problem(text, zone))

    def _problem(self, text: pl.Expr, zone: str) -> pl.Expr:
        if self.name == "TEXT":
            return _when(text.str.len_chars() > (self.length or 2**31), f"is longer than {self} holds")
        if self.name == "NUMBER":
            return self._number_problem(text)
        if self.name == "FLOAT":
            fits = text.str.contains(_NUMBER) & text.cast(pl.Float64, strict=False).is_finite()
            return _when(~fits, "is no number that FLOAT holds")
        if self.name == "BOOLEAN":
            return _when(~text.is_in(["true", "false"]), "is neither true nor false")
        if self.name == "DATE":
            return self._date_problem(text, zone)
        if self.name in _TIMES:
            return self._time_problem(text, zone)
        given = text.map_batches(lambda cells: _is_json(cells, _JSON[self.name]), return_dtype=pl.Boolean)
        return _when(~given, {"ARRAY": "is no list", "OBJECT": "is no object"}.get(self.name, "is no JSON"))

    def staged(self, text: pl.Expr, zone: str) -> pl.Expr:
        """A text that fits as the text that `value` reads."""
        if self.name == "NUMBER":
            return self._rounded(text)
        if self.name == "DATE":
            return _local(text, zone).dt.strftime("%Y-%m-%d")
        if self.name == "TIMESTAMP_NTZ":
            return _local(text, zone).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
        if self.name in _TIMES:
            return _instant(text, zone).dt.strftime("%Y-%m-%d %H:%M:%S%.6f +0000")
        return text

    def value(self, staged: str) -> str:
        """The SQL that reads a staged text."""
        if self.name == "TEXT":
            return staged  # a cast to VARCHAR(n) would cut
        if self.name == "DATE":
            return f"TO_DATE({staged}, 'YYYY-MM-DD')"
        if self.name in _TIMES:
            offset = "" if self.name == "TIMESTAMP_NTZ" else " TZHTZM"
            return f"TO_{self.name}({staged}, '{_TIME}{offset}')"
        if self.name in _JSON:
            parsed = f"PARSE_JSON({staged})"
            return parsed if self.name == "VARIANT" else f"{parsed}::{self.name}"
        return f"{staged}::{self}"

    def compared(self, value: str) -> str:
        """The SQL of a value as it is held against another: Snowflake sorts the keys of an object."""
        return f"TO_JSON({value})" if self.name in _JSON else value

    def _number_problem(self, text: pl.Expr) -> pl.Expr:
        whole = self._rounded(text).str.extract(r"^-?0*([0-9]*)").str.len_chars()
        return pl.coalesce(
            _when(~text.str.contains(_NUMBER), "is no number"),
            _when(whole > self.digits - (self.scale or 0), f"is larger than {self} holds"),
        )

    def _rounded(self, text: pl.Expr) -> pl.Expr:
        """A number with as many decimals as the column has. Rounded as a float, a half to even, as both sides are for
        comparing them; Snowflake would round digits, a half away from zero, and the two would not be equal."""
        fixed, scale = _fixed(text), self.scale or 0
        fraction = fixed.str.extract(r"\.([0-9]*?)0*$").str.len_chars()
        short = _fixed(fixed.cast(pl.Float64, strict=False).round(scale).cast(pl.String))
        return pl.when(fraction > scale).then(short).otherwise(fixed)

    def _date_problem(self, text: pl.Expr, zone: str) -> pl.Expr:
        local = _local(text, zone)
        timed = local != local.dt.truncate("1d")
        return pl.coalesce(
            _when(local.is_null(), "is no date"), _when(timed, "has a time of day, which a DATE cannot hold")
        )

    def _time_problem(self, text: pl.Expr, zone: str) -> pl.Expr:
        instant = _instant(text, zone)
        found = [_when(instant.is_null(), "is no date and time")]
        if self.precision is not None and self.precision < _LEAST_FRACTION:
            cut = instant.dt.microsecond() % 10 ** (_LEAST_FRACTION - self.precision) != 0
            found.append(_when(cut, f"has a finer time than {self} holds"))
        if self.name == "TIMESTAMP_NTZ":
            again = _zoned(_local(text, zone), zone)
            found.append(_when(again != instant, f"lies in an hour that comes twice in {zone}"))
        return pl.coalesce(found)


@dataclass(frozen=True, slots=True)
class Slot(Column):
    """A column to write to. filled: Snowflake puts something there when an insert names it not."""

    holds: SnowflakeType
    filled: bool


def slots(session: SnowflakeConnection, table: Table) -> dict[str, Slot]:
    """All columns of a table, by stored name. Raises NotFound for one that is missing or not granted."""
    rows = session.cursor().execute(
        f"SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, "
        f"datetime_precision, is_nullable, column_default, is_identity "
        f"FROM {quoted(table.database)}.INFORMATION_SCHEMA.COLUMNS "
        f"WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (table.schema, table.name),
    )
    found: dict[str, Slot] = {}
    for name, kind, length, digits, scale, fraction, null, default, identity in rows or ():
        holds = SnowflakeType(kind, length, fraction if digits is None else digits, scale)
        filled = default is not None or identity == "YES"
        found[name] = Slot(name, kind, scale, null == "YES", holds, filled)
    if not found:
        table.columns(session)  # says why
    return found


def _when(wrong: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(wrong).then(pl.lit(reason))


def _fixed(text: pl.Expr) -> pl.Expr:
    """A number without an exponent."""
    spread = text.map_batches(_without_exponents, return_dtype=pl.String)
    return pl.when(text.str.contains(_NUMBER)).then(spread)


def _without_exponents(cells: pl.Series) -> pl.Series:
    odd = cells.filter(cells.str.contains("[eE]") & cells.str.contains(_NUMBER)).unique()
    return cells.replace({each: format(Decimal(each), "f") for each in odd}) if len(odd) else cells


def _instant(text: pl.Expr, zone: str) -> pl.Expr:
    """A point in time (UTC); a day begins in its zone."""
    return pl.coalesce(_utc(text), _zoned(_day(text), zone))


def _local(text: pl.Expr, zone: str) -> pl.Expr:
    """What calendar and clock say in the zone."""
    return pl.coalesce(_day(text), _utc(text).dt.convert_time_zone(zone).dt.replace_time_zone(None))


def _day(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")


def _utc(text: pl.Expr) -> pl.Expr:
    found = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", strict=False, time_unit="us")
    return found.dt.replace_time_zone("UTC")


def _zoned(local: pl.Expr, zone: str) -> pl.Expr:
    # as such times are read: the first of two, and none in an hour that is left out
    found = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return found.dt.convert_time_zone("UTC")


def _is_json(cells: pl.Series, start: str) -> pl.Series:
    known: dict[str, bool] = {each: _parses(each, start) for each in cells.drop_nulls().unique()}
    return cells.replace_strict(known, default=None, return_dtype=pl.Boolean)


def _parses(text: str, start: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return text.lstrip().startswith(start)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice, which PARSE_JSON refuses")
    return found
