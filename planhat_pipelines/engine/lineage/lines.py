"""Lineage of a mapping, in lines people read. It needs the spec alone, so that showing a sync loads nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from planhat_pipelines.planhat.catalogue import with_article
from planhat_pipelines.spec.base import Column, Constant
from planhat_pipelines.spec.files import AggregatedMetrics, AggregatedValue, FileRecords, FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec, TableField
from planhat_pipelines.spec.usage import Activities, Metrics, UsageSpec

_NO = {"no", "false", "none"}


@dataclass(frozen=True, slots=True)
class Line:
    """One Planhat field, the source columns it comes from (none for a constant), how, and which way values go. `kind`:
    what its values are; `custom` where the custom field decides. `is_pii`: the spec says
    that they are personal."""

    field: str
    columns: Sequence[str]
    how: str
    way: Literal["to_planhat", "to_snowflake", "both"] = "to_planhat"
    kind: str = "text"
    is_pii: bool = False


def records_lines(spec: RecordsSpec | FileRecords) -> list[Line]:
    """Which Planhat field comes from which column, or goes there, in the order people read it."""
    way = spec.direction if isinstance(spec, RecordsSpec) else "to_planhat"
    lines = [Line(spec.key.field, [spec.key.column], "key", way)]
    if spec.company:
        where = f", at {spec.company.path}" if spec.company.path else ""
        field, how = (
            spec.planhat_model.company_field or "company",
            f"{spec.company.id} id of a company{where}",
        )
        lines.append(Line(field, [spec.company.column], how, "to_planhat" if way == "both" else way, "id"))
    for each in spec.fields:
        field = spec.planhat_model.fields.get(each.field)
        known = each.type or (field.kind if field else None)
        kind, values = known or "as the custom field", known or "custom"
        if each.column:
            flow = spec.flow(each) if isinstance(spec, RecordsSpec) and isinstance(each, TableField) else way
            lines.append(
                Line(
                    each.field, [each.column], f"{kind}, at {each.path}" if each.path else kind, flow, values
                )
            )
        elif each.expression:
            said = f"{kind}: {each.expression}"
            lines.append(Line(each.field, inputs(each.expression), said, kind=values))
        else:
            lines.append(Line(each.field, [], f"always {each.value!r}", kind=values))
    return _marked(spec, lines) if isinstance(spec, RecordsSpec) else lines


def lines_back(lines: Sequence[Line]) -> list[Line]:
    """The same seen from Snowflake: which column comes from which Planhat field."""
    return [
        Line(column, [line.field], line.how, kind=line.kind, is_pii=line.is_pii)
        for line in lines
        if line.way != "to_planhat"
        for column in line.columns
    ]


def inputs(expression: str) -> list[str]:
    """The columns that a SQL expression reads."""
    import polars as pl  # only expressions need it

    return pl.sql_expr(expression).meta.root_names()


def usage_lines(spec: UsageSpec) -> list[Line]:
    """The same of a usage spec."""
    return _marked(spec, _metric_lines(spec.metrics) if spec.metrics else _activity_lines(spec.activities))


def files_lines(spec: FilesSpec) -> list[Line]:
    """The same of a files spec."""
    if spec.records:
        return _marked(spec, records_lines(spec.records))
    return _marked(spec, _metric_lines(spec.metrics) if spec.metrics else _activity_lines(spec.activities))


def _marked(spec: AnySpec, lines: Iterable[Line]) -> list[Line]:
    """The same, with those marked whose column stands under `sensitive`; of a sync that is tagged pii and names none
    there, all that have a column."""
    named = set[str]() if isinstance(spec, FilesSpec) else {name.upper() for name in spec.sensitive}
    tagged = any(name.lower() == "pii" and value.lower() not in _NO for name, value in spec.tags.items())
    return [
        replace(line, is_pii=any(name.upper() in named or (tagged and not named) for name in line.columns))
        for line in lines
    ]


def _metric_lines(metrics: Metrics | AggregatedMetrics) -> Iterator[Line]:
    target, date = metrics.target, metrics.date
    whose = _how(target, f"{target.id} id of {with_article(target.model)}")
    yield Line("target", [target.column], whose, kind="id")
    yield Line("date", [date.column], _how(date, f"day in {date.timezone}"), kind="day")
    for value in metrics.values:
        summed = isinstance(value, AggregatedValue)
        kind = f"{value.aggregate} per target and day" if summed else "number"
        yield Line(value.metric, [value.column], _how(value, kind), kind="number")


def _activity_lines(activities: Activities | None) -> Iterator[Line]:
    if activities is None:
        return
    user, action, date = activities.enduser, activities.action, activities.date
    yield Line("enduser", [user.column], _how(user, f"{user.id} id of an enduser"), kind="id")
    if isinstance(action, Constant):
        yield Line("action", [], f"always {action.value!r}")
    else:
        yield Line("action", [action.column], _how(action, "text"))
    yield Line("date", [date.column], _how(date, f"time in {date.timezone}"), kind="datetime")
    if activities.weight:
        yield Line("weight", [activities.weight.column], _how(activities.weight, "number"), kind="number")
    for name, column in activities.info.items():
        yield Line(f"info.{name}", [column.column], _how(column, "as it is"), kind="as it is")


def _how(column: Column, kind: str) -> str:
    return f"{kind}, at {column.path}" if column.path else kind
