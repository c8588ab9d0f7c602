"""Texts that say a day or a moment, in any of the ways that can be told apart.

A column is mostly written in one way, so the ways that read its first text are tried first, and the others only on
what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import polars as pl

Moments = TypeVar("Moments", pl.Expr, pl.Series)
Way = Callable[[pl.Series], pl.Series]

UNIT = "us"
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d")
_TIMES = (
    *("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"),
    *("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"),
)
_INSTANTS = (
    "%Y-%m-%dT%H:%M:%SZ",  # the common one, several times as fast to read as with an offset
    *(f"{form}{offset}" for form in _TIMES[2:] for offset in ("%#z", " %#z")),
)


def days(texts: pl.Series, timezone: str) -> pl.Series:
    """Calendar days in `timezone`; null where a text is none."""

    def plain(form: str) -> Way:
        return lambda some: some.str.to_date(form, strict=False)

    def local(form: str) -> Way:
        return lambda some: _local(some, form).dt.date()

    def offset(form: str) -> Way:
        return lambda some: _offset(some, form).dt.convert_time_zone(timezone).dt.date()

    return _read(texts, [*map(plain, _DAYS), *map(local, _TIMES), *map(offset, _INSTANTS)], pl.Date())


def instants(texts: pl.Series, timezone: str) -> pl.Series:
    """Points in time (UTC); null where a text is none. One without an offset is meant in `timezone`."""

    def local(form: str) -> Way:
        return lambda some: placed(_local(some, form), timezone)

    def offset(form: str) -> Way:
        return lambda some: _offset(some, form)

    ways = [*map(local, (*_DAYS, *_TIMES)), *map(offset, _INSTANTS)]
    return _read(texts, ways, pl.Datetime(UNIT, "UTC"))


def placed(local: Moments, timezone: str) -> Moments:
    """Local times as points in time (UTC). An hour that does not exist (spring) is no instant; one that comes twice
    (autumn) is its first."""
    zoned = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _local(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, strict=False, time_unit=UNIT)


def _offset(texts: pl.Series, form: str) -> pl.Series:
    iso = texts if form.endswith("Z") else texts.str.replace(r"[zZ]$", "+00:00")
    return iso.str.to_datetime(form, strict=False, time_unit=UNIT, time_zone="UTC")


def _read(texts: pl.Series, ways: Sequence[Way], dtype: pl.DataType) -> pl.Series:
    left = texts.str.strip_chars()
    nothing = left.clear(len(left))
    found = pl.Series(texts.name, dtype=dtype).clear(len(left))
    for way in _likely_first(left, ways):
        if left.null_count() == len(left):
            break
        read = way(left)
        if read.null_count() == texts.null_count():
            return read
        found = found.zip_with(found.is_not_null(), read)
        left = left.zip_with(found.is_null(), nothing)
    return found


def _likely_first(texts: pl.Series, ways: Sequence[Way]) -> list[Way]:
    first = texts.slice(texts.is_not_null().arg_max() or 0, 1)
    return sorted(ways, key=lambda way: way(first).null_count())
