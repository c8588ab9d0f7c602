"""Planhat's JSON as it really comes: odd types, broken characters, other bodies than the documented ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import polars as pl
from pydantic_core import from_json

from planhat_pipelines.planhat.catalogue import Field, Kind, Model

Row = dict[str, Any]

CUSTOM_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("number", "rating"), "number"),
    **dict.fromkeys(("team member", "enduser"), "id"),
    **dict.fromkeys(("multipicklist", "team members", "endusers"), "array"),
    "checkbox": "boolean",
    "day": "day",
    "date": "date",
}
"""The kinds of custom fields by their type; those of all other types hold text. Source: Planhat developers, custom
field."""

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_IDS = frozenset(  # arrays of references, whose records come embedded in some lists
    (
        "roles",
        "managers",
        "teams",
        "followers",
        "collaborators",
        "companyIds",
        "enduserIds",
        "conversationIds",
    )
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def parsed(body: bytes) -> Any:
    """The JSON of a body; ValueError if it is none. Halves of surrogate pairs become question marks."""
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:  # JSON of JavaScript may hold half a character, which no UTF-8 text can
        try:
            loose = json.loads(body)
        except ValueError:
            raise ValueError("not JSON") from None
        return from_json(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def rows(body: bytes) -> list[Row]:
    """The records of a list answer, each with its `_id`; ValueError if it is anything else.

    Source: Planhat developers (a bare array); `{"data": [...]}` was seen in client code.
    """
    value = parsed(body)
    if isinstance(value, dict):
        value = cast("Row", value).get("data")
    if not isinstance(value, list):
        raise ValueError("not a list")
    found = cast("list[Any]", value)
    if not all(isinstance(row, dict) and cast("Row", row).get("_id") for row in found):
        raise ValueError("a list of something else than records")
    return cast("list[Row]", found)


def text(value: Any) -> str | None:
    """Any JSON value as text: strings as they are, the rest as JSON; 41.0 is "41". "undefined" is nothing."""
    if value is None or value == "undefined":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    return _json(value)


def field_text(value: Any, field: Field | None) -> str | None:
    """`text` with the field's kind known, so that one value has one text however Planhat shows it.

    Embedded records become their `_id`, an embedded currency its symbol, comma-wrapped strings arrays, dates
    `2026-11-22T10:00:00.000Z`, days `2026-11-22`, "" nothing. What does not fit its kind stays as it is.
    """
    if field is None or value is None or value == "undefined":
        return text(value)
    if value == "" and field.kind != "text":
        return None
    form = _FORMS.get(field.kind)
    return form(value, field) if form else text(value)


def instant(value: Any) -> str | None:
    """A point in time as `2026-11-22T10:00:00.000Z`; None if it is none. Without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    if _INSTANT.fullmatch(value):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return iso(found if found.tzinfo else found.replace(tzinfo=UTC))


def iso(moment: datetime) -> str:
    """A moment as Planhat writes it, in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: Any, field: Field) -> str | None:
    embedded = field.name == "_currency" and isinstance(value, dict)
    return text(cast("Row", value).get("symbol") if embedded else value)


def _id(value: Any, _: Field) -> str | None:
    return text(cast("Row", value).get("_id") if isinstance(value, dict) else value)


def _array(value: Any, field: Field) -> str | None:
    if isinstance(value, str):
        return text([part for part in value.split(",") if part])
    if isinstance(value, list) and field.name in _IDS:
        return text([_id(each, field) for each in cast("list[Any]", value)])
    return text(value)


def _date(value: Any, _: Field) -> str | None:
    return instant(value) or text(value)


def _day(value: Any, _: Field) -> str | None:
    found = instant(value)
    return found[:10] if found else text(value)


_FORMS: Mapping[Kind, Callable[[Any, Field], str | None]] = {
    "text": _text,
    "id": _id,
    "array": _array,
    "date": _date,
    "day": _day,
}


@dataclass(frozen=True, slots=True)
class View:
    """What is asked of a list, and what is taken of its answer."""

    columns: tuple[str, ...]
    filters: Mapping[str, str]  # sent, and checked on every row, as Planhat ignores those it does not know
    fields: Mapping[str, Field]

    @classmethod
    def of(
        cls,
        model: Model,
        select: Sequence[str],
        filters: Mapping[str, str] | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> View:
        """`_id` and the fields of `select`. `kinds`: of custom fields, which the catalogue does not know."""
        note = {"type": "note"} if model.name == "note" else {}
        customs = {name: Field(name, kind) for name, kind in (kinds or {}).items()}
        columns = tuple(dict.fromkeys(("_id", *select)))
        return cls(columns, {**note, **(filters or {})}, {**model.fields, **customs})

    @property
    def params(self) -> dict[str, str]:
        """The query of a list. All custom fields come together, as the object `custom`."""
        asked = ("custom" if name.startswith("custom.") else name for name in (*self.columns, *self.filters))
        return {"select": ",".join(dict.fromkeys(asked)), **self.filters}

    def fits(self, found: Sequence[Row]) -> pl.Series:
        """Which records pass the filters."""
        passed = pl.repeat(True, len(found), eager=True)
        for name, value in self.filters.items():
            texts = pl.Series(
                _texts([row.get(name) for row in found], self.fields.get(name)), dtype=pl.String
            )
            passed &= texts.is_in(value.split(",")).fill_null(False)
        return passed

    def frame(self, found: Sequence[Row]) -> pl.DataFrame:
        """The records that pass the filters, all columns as text."""
        return frame(found, self.columns, self.fields).filter(self.fits(found))


def frame(records: Sequence[Row], select: Sequence[str], fields: Mapping[str, Field]) -> pl.DataFrame:
    """The selected fields of the records, all as text; `custom.NAME` is the custom field NAME."""
    customs = [_object(record.get("custom")) for record in records]

    def column(name: str) -> list[str | None]:
        rows = customs if name.startswith("custom.") else records
        key = name.removeprefix("custom.")
        return _texts([row.get(key) for row in rows], fields.get(name))

    return pl.DataFrame({name: column(name) for name in select}, schema=dict.fromkeys(select, pl.String))


def _object(value: Any) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}


def _texts(values: Sequence[Any], field: Field | None) -> list[str | None]:
    if field is not None and field.kind not in ("text", "id"):
        return [field_text(value, field) for value in values]
    return [  # most values are plain texts; only the others need a look
        value if type(value) is str and value and value != "undefined" else field_text(value, field)
        for value in values
    ]
