"""Custom fields as a contract: the mapping is held against the tenant's definitions before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from planhat_pipelines.mapping.columns import Cell, MappingError
from planhat_pipelines.mapping.records import FieldMapping
from planhat_pipelines.mapping.values import ValueType
from planhat_pipelines.planhat.catalogue import Kind, Model
from planhat_pipelines.planhat.lookups import CustomField
from planhat_pipelines.spec.fields import FieldMap, FieldType
from planhat_pipelines.spec.records import RecordsSpec

_OF_KIND: Mapping[Kind, ValueType] = {
    "text": "text",
    "id": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "day": "day",
    "day_number": "day_number",
    "array": "list",
    "object": "json",
}
_OF_CUSTOM: Mapping[str, ValueType] = {
    "number": "number",
    "rating": "number",
    "checkbox": "boolean",
    "day": "day",
    "date": "date",
    "multipicklist": "list",
    "team members": "list",
    "endusers": "list",
}  # all other types of custom fields hold text
_OF_SPEC: Mapping[FieldType, ValueType] = {
    "text": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "date": "day",
    "datetime": "date",
    "list": "list",
    "json": "json",
}
_FITS = {
    ("integer", "number"),
    ("number", "text"),
    ("integer", "text"),
    ("day", "date"),
    ("date", "day"),
    ("day", "text"),
}


@dataclass(frozen=True, slots=True)
class Missing:
    """A custom field that the mapping uses and the tenant does not have."""

    name: str
    type: str


def compiled(
    sync: str,
    model: Model,
    fields: Sequence[FieldMap],
    custom_fields: Sequence[CustomField],
    *,
    written: bool = True,
) -> list[FieldMapping]:
    """The fields with the types Planhat wants. `written`: False for fields that only come back to Snowflake. Raises
    MappingError with everything that does not fit."""
    defined = {each.name: each for each in custom_fields}
    problems = [problem for each in fields for problem in _problems(each, model, defined, written)]
    if problems:
        raise MappingError(f"{sync}: the mapping does not fit the tenant: " + "; ".join(problems))
    return [_mapping(each, model, defined) for each in fields]


def missing(spec: RecordsSpec, custom_fields: Sequence[CustomField]) -> list[Missing]:
    """The custom fields somebody has to create in Planhat before the sync can run."""
    defined = {each.name for each in custom_fields}
    wanted = [
        (each, each.field.removeprefix("custom.")) for each in spec.fields if each.field.startswith("custom.")
    ]
    types = {
        "integer": "number",
        "boolean": "checkbox",
        "date": "day",
        "datetime": "date",
        "list": "multipicklist",
    }
    return [
        Missing(name, types.get(each.type or "text", each.type or "text"))
        for each, name in wanted
        if name not in defined
    ]


def _problems(
    each: FieldMap, model: Model, defined: Mapping[str, CustomField], written: bool
) -> Iterator[str]:
    name = each.field.removeprefix("custom.")
    if name == each.field:
        wanted: ValueType = _OF_KIND[model.fields[name].kind]
    elif name not in defined:
        yield f"{model.title} has no custom field {name!r} (create it in Planhat, or correct the name)"
        return
    else:
        found = defined[name]
        if found.formula and written:
            yield f"{each.field} is a formula: Planhat computes it"
        if found.locked and written:
            yield f"{each.field} is locked in Planhat"
        wanted = _OF_CUSTOM.get(found.type, "text")
    given = _OF_SPEC[each.type] if each.type else wanted
    if given != wanted and (given, wanted) not in _FITS:
        yield f"{each.field} takes {wanted}, and the mapping says {each.type}"


def _mapping(each: FieldMap, model: Model, defined: Mapping[str, CustomField]) -> FieldMapping:
    name = each.field.removeprefix("custom.")
    custom = defined.get(name) if name != each.field else None
    field = None if custom else model.fields[name]
    kind = _OF_CUSTOM.get(custom.type, "text") if custom else _OF_KIND[model.fields[name].kind]
    if each.type == "integer" and kind == "number":
        kind = "integer"  # Planhat would take a 5.5, but whoever wrote integer does not
    allowed = (custom.values if custom.type == "list" else ()) if custom else model.fields[name].values
    return FieldMapping(
        name=name,
        custom=custom is not None,
        kind=kind,
        cell=Cell(each.column, each.path) if each.column else None,
        expression=each.expression,
        constant=each.value,
        clear=each.nulls == "clear",
        timezone=each.timezone,
        required=field is not None and field.required,
        allowed=allowed or None,
    )
