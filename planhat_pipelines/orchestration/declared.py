"""What every declared sync is in Dagster, whatever its direction: an op that makes assets, a job, a schedule."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from planhat_pipelines.engine.due import Due
from planhat_pipelines.orchestration.schedules import SYNC_TAG, freshness, sync_schedule
from planhat_pipelines.spec.cadence import Every

if TYPE_CHECKING:
    from planhat_pipelines.engine.report import Report
    from planhat_pipelines.ledger import Ledger

SOURCE_AS_MAPPED = "source_as_mapped"
CHECKS = {
    "verdicts_balance": "Every row read has exactly one verdict.",
    "no_rejections": "No row was refused; an error when more of them were than `refused_at_most` allows.",
    "nothing_held": "Planhat answered every request.",
    "all_readable": "Nothing had to be set aside as unreadable.",
    SOURCE_AS_MAPPED: "Table, key and mapping fit each other and the tenant.",
}


class Declared(Protocol):
    """What all specs of syncs have in common."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> Every: ...
    @property
    def description(self) -> str | None: ...
    @property
    def refused_at_most(self) -> float: ...
    @property
    def owners(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> dict[str, str]: ...
    def model_dump_json(self) -> str: ...


def made_asset(
    spec: Declared,
    key: dg.AssetKey,
    source: dg.AssetKey,
    system: str,
    description: str,
    metadata: Mapping[str, Any],
) -> dg.AssetSpec:
    """An asset that the sync makes in `system` (planhat, snowflake) from what is in `source`."""
    return dg.AssetSpec(
        key,
        deps=[source],
        description=description,
        group_name="planhat",
        skippable=True,  # by a dry run
        kinds={system},
        owners=list(spec.owners),
        tags=spec.tags,
        freshness_policy=freshness(spec.every),
        code_version=hashlib.blake2b(spec.model_dump_json().encode(), digest_size=8).hexdigest(),
        metadata={**metadata, "cadence": f"{spec.every.at} ({spec.every.timezone})"},
    )


def op_arguments(
    spec: Declared,
    assets: Sequence[dg.AssetSpec],
    checks: Mapping[dg.AssetKey, Mapping[str, str]],
    pool: str | None = None,
) -> Mapping[str, Any]:
    """Arguments of the `multi_asset` that runs the sync. `checks`: their promises by name. `pool`: lets one run at a
    time write a model."""
    return {
        "name": f"{spec.name}_sync",
        "specs": list(assets),
        "check_specs": [
            dg.AssetCheckSpec(name, asset=key, description=promise)
            for key, promises in checks.items()
            for name, promise in promises.items()
        ],
        "retry_policy": dg.RetryPolicy(max_retries=1, delay=30, backoff=dg.Backoff.EXPONENTIAL),
        "op_tags": {SYNC_TAG: spec.name},
        "pool": pool,
    }


def scheduled(
    spec: Declared,
    assets: dg.AssetsDefinition,
    resources: set[str],
    look: Callable[[Any, Ledger], Due],
    sensors: Callable[[str], Sequence[dg.SensorDefinition]] = lambda _: (),
    checks: Sequence[dg.AssetChecksDefinition] = (),
) -> dg.Definitions:
    """The assets with their job and their schedule, which starts it when `look` says that a run is due; `look` gets
    the named resources, and the ledger. `sensors`: more that start the job, by its name. `checks`: that are made by
    themselves."""
    job = dg.define_asset_job(
        f"{spec.name}_job",
        selection=dg.AssetSelection.assets(assets) - dg.AssetSelection.checks(*checks),
        tags={SYNC_TAG: spec.name},
        description=f"Run the sync {spec.name} now.",
    )
    schedule = sync_schedule(spec.name, spec.every, job.name, list(assets.keys), resources, look)
    return dg.Definitions(
        assets=[assets], asset_checks=checks, jobs=[job], schedules=[schedule], sensors=sensors(job.name)
    )


@contextmanager
def row_logged(context: dg.AssetExecutionContext, spec: Declared, ledger: Ledger) -> Generator[None]:
    """Bring the run to the row log at its end, however it ends, where there is one."""
    from planhat_pipelines.engine.rowlog import log_rows

    try:
        yield
    finally:
        log_rows(os.environ, ledger, spec.name, context.log.warning)


def scheduled_checks(
    synced: dg.Definitions, checks: Collection[str], job: str, cron: str, description: str
) -> dg.Definitions:
    """A job that runs the checks of these names, which are made by themselves, of all syncs, and its schedule."""
    keys = [key for each in synced.asset_checks or () for key in each.check_keys if key.name in checks]
    if not keys:
        return dg.Definitions()
    made = dg.define_asset_job(job, selection=dg.AssetSelection.checks(*keys), description=description)
    running = dg.DefaultScheduleStatus.RUNNING
    return dg.Definitions(
        jobs=[made], schedules=[dg.ScheduleDefinition(job=made, cron_schedule=cron, default_status=running)]
    )


def checked(
    key: dg.AssetKey,
    name: str,
    passed: bool,
    severity: dg.AssetCheckSeverity,
    **metadata: int | str,
) -> dg.AssetCheckResult:
    """The outcome of one check."""
    return dg.AssetCheckResult(
        passed=passed, asset_key=key, check_name=name, severity=severity, metadata=metadata
    )


def account_checked(spec: Declared, key: dg.AssetKey, report: Report) -> list[dg.AssetCheckResult]:
    """Whether the rows of an account add up, and how many of them were refused."""
    rows, answered, refused = report.rows_read, report.answered, report.verdicts["refused"]
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    too_many = error if refused > spec.refused_at_most * rows else warn
    return [
        checked(key, "verdicts_balance", rows == answered, error, rows=rows, answered=answered),
        checked(key, "no_rejections", refused == 0, too_many, refused=refused, rows=rows),
    ]
