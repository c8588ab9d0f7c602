"""What a spreadsheet's cell means as text, by its number format."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast

_SAFE_DIGITS = 10**15  # Excel keeps fifteen digits of a number and makes the rest zero
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DURATION = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Look(NamedTuple):
    """How a number is shown: as a moment (with a clock or without), as a duration, or padded with zeros."""

    moment: bool = False
    clock: bool = False
    duration: bool = False
    zeros: int = 0


@dataclass
class Notes:
    """What the reader of a sheet should be told; columns are places counted from 0."""

    errors: int = 0
    uncalculated: int = 0
    hidden_rows: int = 0
    numeric: set[int] = field(default_factory=set[int])
    shortened: set[int] = field(default_factory=set[int])


@lru_cache(10_000)
def look(code: str) -> Look:
    """The look of a number format code, such as yyyy-mm-dd or 00000. Only its first section counts."""
    if _DURATION.search(code):
        return Look(duration=True)
    shown = _NOT_SHOWN.sub("", code).partition(";")[0].strip().lower()
    if shown != "general" and re.search("[dmyhs]", shown):
        return Look(moment=True, clock=bool(re.search("[hs]", shown)))
    return Look(zeros=len(shown) if re.fullmatch("00+", shown) else 0)


def number_text(value: float, shown: Look, epoch: datetime) -> str:
    """A number cell: whole numbers without a point, zeros kept where the format shows them, moments in ISO form."""
    if shown.moment or shown.duration:
        from openpyxl.utils import datetime as moments

        try:
            moment = cast(Any, moments).from_excel(value, epoch, timedelta=shown.duration)
            return moment_text(moment, shown)
        except (OverflowError, ValueError):
            pass  # beyond the calendar, so it is a number all the same
    if float(value).is_integer() and abs(value) < 1e21:
        return str(int(value)).zfill(shown.zeros)
    return repr(float(value))


def moment_text(value: object, shown: Look) -> str:
    """ISO form; a date alone when the clock is at midnight and the format shows none."""
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
        return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(value, datetime):
        if value.time() == time() and not shown.clock:
            return value.date().isoformat()
        return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    assert isinstance(value, date | time)  # noqa: S101  (what is left of a conversion)
    return value.isoformat()


def shortened(value: float) -> bool:
    """Whether a whole number is so long that Excel has lost its last digits."""
    return abs(value) >= _SAFE_DIGITS and float(value).is_integer()


def unescaped(text: str) -> str:
    """Characters that Excel writes as _xHHHH_, such as a carriage return; NUL stays written out."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if _character(found[1]) else found[0], text)


def _character(code: str) -> bool:
    number = int(code, 16)
    return number > 0 and not 0xD800 <= number <= 0xDFFF
