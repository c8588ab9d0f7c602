"""What changed in the shape of both sides since somebody last looked: columns of the source, custom fields of Planhat.

A shape is plain JSON, so that whoever looks can keep it: names and, in a word, what they are. Headers of files are not
looked at, as every file has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from planhat_pipelines.engine.checks.promises import mapped_records
from planhat_pipelines.engine.lineage.traced import traced
from planhat_pipelines.planhat.lookups import CustomField, custom_fields
from planhat_pipelines.snowflake.errors import NotFound
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.files import FilesSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.spec.kinds import AnySpec

Side = Literal["column", "field"]
Shape = dict[Side, dict[str, str]]
"""By side, name and type; a side that a sync does not have is missing."""

_UNWRITABLE = ("formula", "locked")


@dataclass(frozen=True, slots=True)
class Change:
    """One column of the source or custom field of Planhat that is not as it was. `mapped`: whether the sync uses it."""

    side: Side
    name: str
    what: str
    mapped: bool


def shape(spec: AnySpec, session: SnowflakeConnection | None, planhat: Planhat) -> Shape:
    """Both sides as they are now. A table that is gone has no columns. Raises the errors of Planhat and Snowflake."""
    found: Shape = {}
    if session is not None and not isinstance(spec, FilesSpec):
        try:
            columns = Table(*table_parts(spec.table)).columns(session)
        except NotFound:
            columns = {}
        found["column"] = {
            name: f"{each.type}, {each.scale} decimals" if each.scale else each.type
            for name, each in columns.items()
        }
    if records := mapped_records(spec):
        fields = custom_fields(planhat, records.planhat_model)
        found["field"] = {f"custom.{each.name}": _described(each) for each in fields}
    return found


def changes(spec: AnySpec, before: Shape | None, now: Shape) -> list[Change]:
    """What changed since `before` (None: nobody looked yet), and what the mapping uses and cannot have, even if it was
    so before; what is mapped comes first."""
    lines = traced(spec).lines
    used: Mapping[Side, Sequence[str]] = {
        "column": [name for line in lines for name in line.columns],
        "field": [line.field for line in lines if line.field.startswith("custom.")],
    }
    written = {line.field for line in lines if line.way != "to_snowflake"}
    found: list[Change] = []
    for side, names in now.items():
        mapped = {_stored(name, side, {**(before or {}).get(side, {}), **names}) for name in used[side]}
        told = dict(_moved((before or now).get(side, {}), names))
        told |= {name: "is not there" for name in mapped if name not in names and name not in told}
        told |= {
            name: f"is {names[name]}, and cannot be written"
            for name in mapped & names.keys() & written
            if names[name].endswith(_UNWRITABLE)
        }
        found += [Change(side, name, what, name in mapped) for name, what in told.items()]
    return sorted(found, key=lambda each: (not each.mapped, each.side, each.name))


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in before.keys() - now.keys():
        yield name, "vanished"
    for name in now.keys() - before.keys():
        yield name, f"appeared ({now[name]})"
    for name in before.keys() & now.keys():
        if before[name] != now[name]:
            yield name, f"{before[name]} became {now[name]}"


def _described(field: CustomField) -> str:
    marks = [
        field.type,
        *(word for word, holds in (("locked", field.locked), ("formula", field.formula)) if holds),
    ]
    return ", ".join(marks)


def _stored(name: str, side: Side, known: Mapping[str, str]) -> str:
    """The stored name of the column that a user means."""
    return name if side == "field" or name in known else name.upper()
