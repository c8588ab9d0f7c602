"""Facts of every Planhat model: paths, keys, fields, paging. The data is in models.yaml.

Source: Planhat developers, model pages; the assumptions are marked in the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import yaml

# date: ISO date-time; day: ISO date; day_number: whole days since 1970-01-01; id: a Planhat _id
Kind = Literal["text", "number", "integer", "boolean", "date", "day", "day_number", "id", "array", "object"]

_KINDS = get_args(Kind)
_FIELD = re.compile(r"(?P<kind>\w+)(?: (?P<flag>required|computed))?(?: \((?P<values>[^)]+)\))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model. `_id` is read-only, yet may be sent as a key."""

    name: str
    kind: Kind
    required: bool = False  # must be there on insert
    read_only: bool = False  # filled or computed by Planhat
    values: tuple[str, ...] = ()  # the closed list, when the model has one


@dataclass(frozen=True, slots=True)
class Model:
    """One object type of Planhat. Records live under `path`; a note is a conversation of type "note"."""

    name: str  # what users write: "company", "line_item"
    title: str  # Planhat's name: "Company", "Line Item"
    parent: str  # `parent` of its custom fields, `model` of its metrics
    path: str  # no slash: "companies"
    keys: tuple[str, ...]  # in Planhat's order of precedence
    company_field: str | None
    company_required: bool
    fields: Mapping[str, Field]
    created_stamp: str
    updated_stamp: str
    page_default: int
    page_max: int
    bulk: bool  # PUT with an array
    single: bool  # POST of one, GET and PUT by id
    metrics: bool  # may carry custom metrics
    one_of: tuple[tuple[str, ...], ...] = ()  # an insert needs at least one field of each group


class UnknownModel(KeyError):
    """No model of that name; the text names the nearest one."""

    def __init__(self, name: str) -> None:
        import difflib  # only errors need it

        near = difflib.get_close_matches(name.lower(), MODELS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known models: {', '.join(MODELS)}."
        super().__init__(f"Planhat has no model {name!r}. {hint}")

    def __str__(self) -> str:  # a KeyError would print the repr
        return str(self.args[0])


def with_article(noun: str) -> str:
    """A model's title or name in a sentence: a Company, an End User, an NPS."""
    return f"{'an' if noun == 'NPS' or noun[0] in 'AEIOaeio' else 'a'} {noun}"


def model(name: str) -> Model:
    """The model that users call `name`; raises UnknownModel."""
    found = MODELS.get(name)
    if found is None:
        raise UnknownModel(name)
    return found


def _load() -> Mapping[str, Model]:
    text = Path(__file__).with_name("models.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has its C part
    raw = cast("dict[str, dict[str, Any]]", yaml.load(text, Loader=loader))  # noqa: S506  (safe either way)
    return MappingProxyType({name: _model(name, facts) for name, facts in raw.items()})


def _model(name: str, facts: dict[str, Any]) -> Model:
    company, _, need = str(facts.get("company", "")).partition(" ")
    created, updated = facts["stamps"].split()
    default, highest = facts["pages"].split()
    without = str(facts.get("without", "")).split()
    fields = {"_id": Field("_id", "id", read_only=True), "__v": Field("__v", "integer", read_only=True)}
    if company == "companyIds":
        fields[company] = Field(company, "array")
    elif company:
        fields[company] = Field(company, "id", required=need == "required")
    if company == "companyId":
        fields["companyName"] = Field("companyName", "text", read_only=True)
    for names, described in facts["fields"].items():
        for field in str(names).split(", "):
            fields[field] = _field(field, str(described))
    if name != "custom_field":
        fields["custom"] = Field("custom", "object")
    for stamp in (created, updated):
        fields[stamp] = Field(stamp, "date", read_only=True)
    return Model(
        name=name,
        title=facts["title"],
        parent=facts.get("parent", facts["title"]),
        path=facts["path"],
        keys=tuple(facts["keys"].split()),
        company_field=company or None,
        company_required=need == "required",
        fields=MappingProxyType(fields),
        created_stamp=created,
        updated_stamp=updated,
        page_default=int(default),
        page_max=int(highest),
        bulk="bulk" not in without,
        single="single" not in without,
        metrics=bool(facts.get("metrics")),
        one_of=tuple(tuple(group.split()) for group in facts.get("one_of", ())),
    )


def _field(name: str, described: str) -> Field:
    found = _FIELD.fullmatch(described)
    if found is None or found["kind"] not in _KINDS:
        raise ValueError(
            f"models.yaml: field {name!r} is described as {described!r}; expected a kind of {_KINDS}"
        )
    return Field(
        name=name,
        kind=cast("Kind", found["kind"]),
        required=found["flag"] == "required",
        read_only=found["flag"] == "computed",
        values=tuple(found["values"].split(", ")) if found["values"] else (),
    )


MODELS: Mapping[str, Model] = _load()
