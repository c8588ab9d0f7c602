"""Planhat's JSON as it really comes: odd types, broken characters, other bodies than the documented ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import polars as pl
from pydantic_core import from_json

from planhat_pipelines.planhat.catalogue import Field

Row = dict[str, Any]


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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def field_text(value: Any, field: Field | None) -> str | None:
    """`text` with the field's kind known: records become their `_id`, comma-wrapped strings arrays."""
    if field is None or value is None:
        return text(value)
    if field.kind == "id" and isinstance(value, dict):
        return text(cast("Row", value).get("_id"))
    if field.kind == "array" and isinstance(value, str):
        return text([part for part in value.split(",") if part])
    if value == "" and field.kind != "text":
        return None
    return text(value)


def frame(records: Sequence[Row], select: Sequence[str], fields: Mapping[str, Field]) -> pl.DataFrame:
    """The selected fields of the records, all as text; `custom.NAME` is the custom field NAME."""
    customs = [_object(record.get("custom")) for record in records]

    def column(name: str) -> list[str | None]:
        own = name.startswith("custom.")
        key = name.removeprefix("custom.")
        return _texts(
            [row.get(key) for row in (customs if own else records)], None if own else fields.get(name)
        )

    return pl.DataFrame({name: column(name) for name in select}, schema=dict.fromkeys(select, pl.String))


def _object(value: Any) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}


def _texts(values: Sequence[Any], field: Field | None) -> list[str | None]:
    if field is not None and field.kind == "array":
        return [field_text(value, field) for value in values]
    return [  # most values are plain texts; only the others need a look
        value if type(value) is str and value and value != "undefined" else field_text(value, field)
        for value in values
    ]
