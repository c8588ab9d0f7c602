"""A files spec made ready to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from planhat_pipelines.engine.destinations.activities import ActivitiesDestination
from planhat_pipelines.engine.destinations.aggregated import AggregatedDestination
from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.drops.source import DropsSource
from planhat_pipelines.engine.lineage.lines import files_lines
from planhat_pipelines.engine.protocols import Destination
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.syncs.records import records_mapping
from planhat_pipelines.engine.syncs.usage import activities_mapping, metrics_mapping
from planhat_pipelines.files import Bucket, Layout, S3Account, S3Client
from planhat_pipelines.files.formats import FileOptions
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.spec.files import FilesSpec


def files_source(
    spec: FilesSpec,
    account: S3Account,
    ledger: Ledger,
    spool: Path,
    log: Callable[[str], None] = lambda _: None,
) -> DropsSource:
    """The spec's drops as a source. `spool`: a private folder for the drop that is worked on."""
    return DropsSource(
        spec.name,
        Bucket(S3Client(account), spec.bucket, f"{spec.processed}.probe/"),
        layout(spec),
        ledger,
        spool / spec.name,
        columns=[name for line in files_lines(spec) for name in line.columns],
        key=spec.records.key.column if spec.records else None,
        key_field=spec.records.key.field if spec.records else "",
        options=FileOptions(**spec.files.model_dump()),
        log=log,
    )


def files_sync(
    spec: FilesSpec,
    account: S3Account,
    planhat: Planhat,
    ledger: Ledger,
    *,
    spool: Path,
    patience: float,
    log: Callable[[str], None] = lambda _: None,
) -> Sync:
    """The spec as a sync. Raises MappingError when the mapping does not fit the tenant."""
    source = files_source(spec, account, ledger, spool, log)
    return Sync(spec.name, source, _destination(spec, planhat, ledger, source.scratch), ledger, patience)


def layout(spec: FilesSpec) -> Layout:
    """Where the spec's drops lie and go."""
    return Layout(
        spec.prefix,
        spec.pattern,
        spec.settle_seconds,
        spec.done_marker,
        spec.processed,
        spec.failed,
        spec.rejected,
    )


def _destination(spec: FilesSpec, planhat: Planhat, ledger: Ledger, scratch: Path) -> Destination:
    if spec.metrics:
        return AggregatedDestination(planhat, metrics_mapping(spec.metrics), scratch, spec.name, ledger)
    if spec.records:
        mapping = records_mapping(spec.name, spec.records, planhat)
        company_id = spec.records.company.id if spec.records.company else "external"
        return RecordsDestination(spec.name, planhat, ledger, mapping, company_id, brake=None)
    assert spec.activities is not None  # noqa: S101  (the spec holds exactly one of the three)
    return ActivitiesDestination(planhat, activities_mapping(spec.activities), spec.activities.on_doubt)
