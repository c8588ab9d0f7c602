"""Values of fields: what a kind takes and how it is kept. Dates are kept as Planhat shows them, ISO with ms and Z."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from planhat_pipelines.planhat.catalogue import MODELS, Field
from planhat_pipelines.sandbox.planhat.store import Doc, iso
from planhat_pipelines.sandbox.planhat.switches import Switches

_SAFE = 2**53  # whole numbers that JavaScript keeps exact
_HEX_ID = re.compile(r"[0-9a-f]{24}")


class Refused(Exception):
    """An item that Planhat answers with an error text."""


def is_id(value: Any) -> bool:
    return isinstance(value, str) and _HEX_ID.fullmatch(value) is not None


@lru_cache(maxsize=65536)
def _iso(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    raise ValueError


def _number(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError


def _integer(value: Any) -> Any:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < _SAFE
        and value == int(value)
    ):
        return int(value)
    raise ValueError


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    raise ValueError


def _date(value: Any) -> Any:
    if isinstance(value, str):
        return _iso(value)
    return iso(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=_integer(value)))


def _day(value: Any) -> Any:
    return _date(value)[:10]


def _id(value: Any) -> Any:
    if is_id(value):
        return value
    raise ValueError


def _array(value: Any) -> Any:
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, dict):
        raise Refused("Add and Remove on arrays have no known form, send the whole array")
    raise ValueError


def _object(value: Any) -> Any:
    if isinstance(value, dict | list):
        return cast("Any", value)
    raise ValueError


Check = Callable[[Any], Any]
KINDS: Mapping[str, Check] = {
    "text": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "day": _day,
    "day_number": _integer,
    "id": _id,
    "array": _array,
    "object": _object,
}
CUSTOM_TYPES: Mapping[str, Check] = {
    **dict.fromkeys(("number", "rating"), _number),
    **dict.fromkeys(("text", "rich text", "phone", "email", "url", "list"), _text),
    **dict.fromkeys(("day", "date"), _date),
    **dict.fromkeys(("multipicklist", "team members", "endusers"), _array),
    **dict.fromkeys(("team member", "enduser"), _id),
    "checkbox": _boolean,
}
_RANGES: Mapping[tuple[str, str], tuple[float, float]] = {
    ("companies", "csmScore"): (1, 5),
    ("nps", "score"): (0, 10),
    ("timeentries", "hours"): (0.1, 24),
    ("licenses", "value"): (0, float("inf")),
    ("licenses", "mrr"): (0, float("inf")),
    ("sales", "value"): (0, float("inf")),
}


@dataclass(frozen=True, slots=True)
class CustomField:
    name: str
    check: Check
    values: frozenset[str]
    formula: bool
    mandatory: bool

    @classmethod
    def of(cls, doc: Doc) -> CustomField:
        return cls(
            name=doc["name"],
            check=CUSTOM_TYPES.get(doc["type"], lambda value: value),
            values=frozenset(doc.get("listValues") or ())
            if doc["type"] in ("list", "multipicklist")
            else frozenset(),
            formula=bool(doc.get("isFormula")),
            mandatory=bool(doc.get("isMandatory")),
        )


class Shape:
    """One collection, made ready: which fields may be written and how each is checked."""

    def __init__(self, collection: str) -> None:
        models = [m for m in MODELS.values() if m.path == collection]
        self.model = model = models[0]
        self.collection = collection
        self.keys = tuple(key for key in model.keys if key != "_id")
        fields: dict[str, Field] = {}
        for other in reversed(models):  # the first, which gives its name to the collection, has the last word
            fields.update(other.fields)
        special = {"_id", "custom", model.company_field}
        self.read_only = {f.name for f in fields.values() if f.read_only} - special
        self.checks = {
            f.name: _check(collection, f)
            for f in fields.values()
            if not f.read_only and f.name not in special
        }
        self.required = [
            f.name
            for f in fields.values()
            if f.required and f.name not in special and f in model.fields.values()
        ]

    def clean(self, item: Doc, custom: Mapping[str, CustomField], switches: Switches) -> Doc:
        """The writable part of an item, in Planhat's form; None stands for "clear". Raises Refused."""
        checks = self.checks
        out: Doc = {}
        for name, value in item.items():
            check = checks.get(name)
            if check is None:
                self._other(name, value, out, custom, switches)
            elif value is None:
                if name in self.required:
                    raise Refused(f"{name} is required")
                if switches["null_on_standard"] == "clear":
                    out[name] = None
            else:
                try:
                    out[name] = check(value)
                except (ValueError, OverflowError):
                    out[name] = _misfit(name, value, switches)
        return out

    def _other(
        self, name: str, value: Any, out: Doc, custom: Mapping[str, CustomField], switches: Switches
    ) -> None:
        if name == "custom":
            if isinstance(value, dict):
                out["custom"] = _clean_custom(cast("Doc", value), custom, switches)
            elif value is not None:
                raise Refused("custom must be an object")
        elif name in ("_id", self.model.company_field):
            return  # the reference is resolved apart
        elif name in self.read_only:
            if switches["read_only_fields"] == "refuse":
                raise Refused(f"{name} is read-only")
        elif switches["unknown_fields"] == "refuse":
            raise Refused(f"{name} is not a field of {self.model.title}")


def _check(collection: str, field: Field) -> Check:
    check = KINDS[field.kind]
    bounds = _RANGES.get((collection, field.name))
    if field.name in ("dealId", "productId"):
        return _text  # may be extid- or srcid-; resolved apart
    if field.values and collection != "conversations":
        values = frozenset(field.values)

        def listed(value: Any) -> Any:
            if isinstance(value, str) and value in values:
                return value
            raise ValueError

        return listed
    if bounds:
        low, high = bounds

        def within(value: Any) -> Any:
            if low <= check(value) <= high:
                return value
            raise ValueError

        return within
    return check


def _misfit(name: str, value: Any, switches: Switches) -> Any:
    if switches["wrong_types"] == "refuse":
        raise Refused(f"invalid {name}")
    return value


def _strings(value: Any) -> list[str]:
    return [str(one) for one in cast("list[Any]", value)] if isinstance(value, list) else [str(value)]


def _clean_custom(values: Doc, custom: Mapping[str, CustomField], switches: Switches) -> Doc:
    out: Doc = {}
    for name, value in values.items():
        field = custom.get(name)
        if field is None:
            if switches["unknown_custom_fields"] == "refuse":
                raise Refused(f"custom.{name} is not defined")
            if switches["unknown_custom_fields"] == "store":
                out[name] = value
        elif field.formula:
            if switches["read_only_fields"] == "refuse":
                raise Refused(f"custom.{name} is a formula")
        elif value is None:
            if field.mandatory:
                raise Refused(f"custom.{name} is required")
            out[name] = None
        else:
            try:
                kept = field.check(value)
            except (ValueError, OverflowError):
                kept = _misfit(f"custom.{name}", value, switches)
            if field.values and not field.values.issuperset(_strings(kept)):
                if switches["unknown_list_values"] == "refuse":
                    raise Refused(f"custom.{name}: value is not in the list")
                if switches["unknown_list_values"] == "drop":
                    continue
            out[name] = kept
    return out
