"""A sync as OpenLineage sees it: its job, the datasets it reads and writes, and which column comes from which.

Plain facts, after OpenLineage's naming of datasets: a table is `snowflake://ACCOUNT` and DATABASE.SCHEMA.TABLE, a
folder of drops is `s3://BUCKET` and its prefix. For Planhat there is no such rule: here it is `planhat://HOST` and the
model, with `.metrics` or `.activities` where a sync brings those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from planhat_pipelines.engine.lineage.lines import Line, lines_back
from planhat_pipelines.engine.lineage.traced import traced
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from planhat_pipelines.spec.kinds import AnySpec

_TOLD = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT", "OPENLINEAGE__TRANSPORT__TYPE")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table, a folder of drops or a model, by the names under which other programs know it."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Flow:
    """One way of a sync: rows of `source` to `target`. `counts`: what its counts in an account begin with."""

    source: Dataset
    target: Dataset
    lines: Sequence[Line]
    counts: str = ""

    @property
    def read(self) -> list[str]:
        """The columns of the source that the mapping names."""
        return list(dict.fromkeys(column for line in self.lines for column in line.columns))

    def rows(self, counts: Mapping[str, int]) -> tuple[int, int]:
        """How many rows a run has read and written, by its account."""
        written = sum(counts.get(f"{self.counts}{end}", 0) for end in ("created", "updated", "submitted"))
        return counts.get(f"{self.counts}rows_read", 0), written


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the client of OpenLineage is told where to send events, in one of the ways that it knows."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if any(environment.get(name) for name in _TOLD):
        return True
    return any(
        (folder / "openlineage.yml").is_file() for folder in (Path.cwd(), Path.home() / ".openlineage")
    )


def flows(spec: AnySpec, snowflake: str | None, planhat: str) -> list[Flow]:
    """What a sync carries from where to where; two flows where it goes both ways. `snowflake`: the account. `planhat`:
    the address of the API."""
    here, there = (
        _source(spec, snowflake),
        Dataset(f"planhat://{urlsplit(planhat).hostname}", _in_planhat(spec)),
    )
    lines = traced(spec).lines
    if not isinstance(spec, RecordsSpec) or spec.direction == "to_planhat":
        return [Flow(here, there, lines)]
    back = Flow(there, here, lines_back(lines), "back_")
    if spec.direction == "to_snowflake":
        return [back]
    return [Flow(here, there, [line for line in lines if line.way != "to_snowflake"]), back]


def _source(spec: AnySpec, snowflake: str | None) -> Dataset:
    if isinstance(spec, FilesSpec):
        return Dataset(f"s3://{spec.bucket}", spec.prefix.strip("/") or "/")
    return Dataset(f"snowflake://{(snowflake or 'unknown').lower()}", ".".join(table_parts(spec.table)))


def _in_planhat(spec: AnySpec) -> str:
    if isinstance(spec, RecordsSpec):
        return spec.model
    if isinstance(spec, FilesSpec) and spec.records:
        return spec.records.model
    return f"{spec.metrics.target.model}.metrics" if spec.metrics else "enduser.activities"
