"""`every:` how often a sync runs, written the way people say it."""

from __future__ import annotations

import re
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator

from planhat_pipelines.spec.base import Spec, SpecError

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = {
    "5m": ("*/5 * * * *", 5 * _MINUTE),
    "10m": ("*/10 * * * *", 10 * _MINUTE),
    "15m": ("*/15 * * * *", 15 * _MINUTE),
    "30m": ("*/30 * * * *", 30 * _MINUTE),
    "1h": ("0 * * * *", _HOUR),
    "6h": ("0 */6 * * *", 6 * _HOUR),
}
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAILY = re.compile(r"daily at ([01]\d|2[0-3]):([0-5]\d)")
_WEEKLY = re.compile(rf"weekly on ({'|'.join(_WEEKDAYS)}) at ([01]\d|2[0-3]):([0-5]\d)")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CURE = (
    f"write one of {', '.join(_STEPS)}, 'daily at 06:00', 'weekly on monday at 06:00', "
    "or a cron line of five fields such as '*/20 6-18 * * 1-5'"
)


def _cron_field(text: str, low: int, high: int) -> bool:
    for part in text.split(","):
        span = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if span is None:
            return False
        first, last, step = (int(found) if found else None for found in span.groups())
        ends = [end for end in (first, last) if end is not None]
        if any(not low <= end <= high for end in ends) or ends != sorted(ends) or step == 0:
            return False
    return True


class Every(Spec):
    """A cadence: a step, a time of day, a time of the week or a cron line, in a time zone."""

    at: str = Field(examples=["1h"], description=_CURE)
    timezone: str = Field(
        default="UTC", examples=["Europe/Stockholm"], description="IANA time zone the times are meant in."
    )

    @field_validator("at")
    @classmethod
    def _known(cls, at: str) -> str:
        fields = at.split()
        is_cron = len(fields) == 5 and all(
            _cron_field(field, *span) for field, span in zip(fields, _CRON_RANGES, strict=True)
        )
        if at in _STEPS or _DAILY.fullmatch(at) or _WEEKLY.fullmatch(at) or is_cron:
            return at
        raise SpecError(f"{at!r} is no cadence", _CURE)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str) -> str:
        return known_zone(timezone)

    @property
    def cron(self) -> str:
        """The cadence as a cron line."""
        if self.at in _STEPS:
            return _STEPS[self.at][0]
        if daily := _DAILY.fullmatch(self.at):
            hour, minute = daily.groups()
            return f"{int(minute)} {int(hour)} * * *"
        if weekly := _WEEKLY.fullmatch(self.at):
            day, hour, minute = weekly.groups()
            return f"{int(minute)} {int(hour)} * * {_WEEKDAYS.index(day)}"
        return self.at

    @property
    def seconds(self) -> int:
        """The usual distance of two runs; for a cron line a day, as its gaps may differ."""
        if self.at in _STEPS:
            return _STEPS[self.at][1]
        return 7 * _DAY if _WEEKLY.fullmatch(self.at) else _DAY


def known_zone(timezone: str) -> str:
    """`timezone` itself when the system knows it; raises SpecError with an example when not."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise SpecError(
            f"{timezone!r} is no time zone", "write one like 'Europe/Stockholm' or 'UTC'"
        ) from None
    return timezone


def _from_text(value: Any) -> Any:
    return {"at": value} if isinstance(value, str) else value


Cadence = Annotated[
    Every,
    BeforeValidator(_from_text, json_schema_input_type=str | Every),
    Field(examples=["1h"], description=f"How often to run: {_CURE}; or {{at, timezone}}."),
]
