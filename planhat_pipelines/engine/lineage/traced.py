"""Which source column becomes which Planhat field, over all syncs, as plain data that a page or a program can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from planhat_pipelines.engine.lineage.lines import Line, files_lines, records_lines, usage_lines
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines.spec.usage import UsageSpec


@dataclass(frozen=True, slots=True)
class Traced:
    """The lineage of one sync. `reads`: what it reads or writes beside the mapped columns, as lines whose `field` says
    what for."""

    spec: AnySpec
    source: str
    target: str
    lines: list[Line]
    reads: list[Line]


def traced(spec: AnySpec) -> Traced:
    """The lineage of one sync, from its spec alone."""
    if isinstance(spec, FilesSpec):
        lines = files_lines(spec)
    else:
        lines = records_lines(spec) if isinstance(spec, RecordsSpec) else usage_lines(spec)
    return Traced(spec, source(spec), target(spec), lines, list(_reads(spec)))


def source(spec: AnySpec) -> str:
    """Where the rows come from, as people know it."""
    if isinstance(spec, FilesSpec):
        return f"s3://{spec.bucket}/{spec.prefix}"
    return ".".join(table_parts(spec.table))


def target(spec: AnySpec) -> str:
    """Where they go in Planhat: a model, the metrics of a model, or activities."""
    if isinstance(spec, RecordsSpec):
        return spec.planhat_model.title
    if isinstance(spec, FilesSpec) and spec.records:
        return spec.records.planhat_model.title
    return f"{model(spec.metrics.target.model).title} metrics" if spec.metrics else "User activities"


def lineage(specs: Iterable[AnySpec]) -> list[dict[str, Any]]:
    """One JSON object a sync. Every column and field has an `id` that is the same in all syncs that name it."""
    return [_as_json(traced(spec)) for spec in specs]


def _reads(spec: AnySpec) -> Iterator[Line]:
    if isinstance(spec, UsageSpec):
        yield Line("how far the table was read", [spec.incrementing_key], "incrementing key")
    elif isinstance(spec, RecordsSpec):
        if spec.updated_at:
            yield Line("when a row changed", [spec.updated_at], "updated_at")
        if spec.gone_column:
            yield Line("record deleted or archived", [spec.gone_column], "gone_column", "to_snowflake")


def _as_json(each: Traced) -> dict[str, Any]:
    spec = each.spec
    return {
        "name": spec.name,
        "description": spec.description or "",
        "way": spec.direction if isinstance(spec, RecordsSpec) else "to_planhat",
        "every": spec.every.at
        if spec.every.timezone == "UTC"
        else f"{spec.every.at} ({spec.every.timezone})",
        "owners": list(spec.owners),
        "tags": spec.tags,
        "source": each.source,
        "target": each.target,
        "lines": [
            {**asdict(line), "id": f"{each.target}: {line.field}", "columns": _columns(each, line)}
            for line in each.lines
        ],
        "reads": [{**asdict(line), "columns": _columns(each, line)} for line in each.reads],
    }


def _columns(each: Traced, line: Line) -> list[dict[str, str]]:
    """Snowflake finds a column by its name in upper case, too; files have the names they have."""
    is_file = isinstance(each.spec, FilesSpec)
    return [
        {"name": name, "id": f"{each.source}: {name if is_file else name.upper()}"}
        for name in dict.fromkeys(line.columns)
    ]
