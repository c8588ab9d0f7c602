"""Cadences as schedules that start a run only when there is something to do and no run of the sync is alive."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from planhat_pipelines.engine.due import Due
from planhat_pipelines.orchestration.resources import LedgerDatabase
from planhat_pipelines.spec.cadence import Every

if TYPE_CHECKING:
    from planhat_pipelines.ledger import Ledger

SYNC_TAG = "planhat/sync"
_ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_schedule(
    name: str,
    every: Every,
    job: str,
    assets: Sequence[dg.AssetKey],
    resources: set[str],
    look: "Callable[[Any, Ledger], Due]",
) -> dg.ScheduleDefinition:
    """`look` says whether a run is due and why; it must be cheap, as it is asked at every tick. It gets the resources
    of these keys, and the ledger. `assets`: what the job makes."""

    often = f"{'every ' if every.at[0].isdigit() else ''}{every.at} ({every.timezone})"

    @dg.schedule(
        name=f"{name}_schedule",
        job_name=job,
        cron_schedule=every.cron,
        execution_timezone=every.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={*resources, "ledger"},
        description=f"Runs {name} {often}, unless nothing is new or a run is still at work.",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if busy := at_work(context.instance, name):
            return busy
        ledger: LedgerDatabase = context.resources.ledger
        with ledger.open() as book:
            found = look(context.resources, book)
        context.log.info(f"{name}: {found.why}")
        if found.run:
            return dg.RunRequest(tags={"planhat/why": found.why[:250]})
        for asset in assets:
            _stay_fresh(context.instance, asset, every, found.why)
        return dg.SkipReason(found.why)

    return tick


def drop_sensor(name: str, job: str, arrived: Callable[[Any], list[str]]) -> dg.SensorDefinition:
    """Starts a run when the bucket's events tell of a drop. `arrived`: keys of drops, asked with the S3 resource."""

    @dg.sensor(
        name=f"{name}_sensor",
        job_name=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={"s3"},
        description=f"Runs {name} as soon as an event tells of a new file.",
    )
    def tick(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from planhat_pipelines.files.names import shown

        if busy := at_work(context.instance, name):
            return busy
        keys = arrived(context.resources.s3)
        if not keys:
            return dg.SkipReason("no event tells of a new file")
        return dg.RunRequest(
            tags={"planhat/why": f"{len(keys)} new files, the first is {shown(keys[0])}"[:250]}
        )

    return tick


def freshness(every: Every) -> dg.FreshnessPolicy:
    """An asset is stale when nobody has looked for new rows for three times its cadence, half an hour at least."""
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=max(3 * every.seconds, 1800)))


def at_work(instance: dg.DagsterInstance, name: str) -> dg.SkipReason | None:
    """The reason to skip while a run of the sync is alive."""
    alive = instance.get_run_records(dg.RunsFilter(tags={SYNC_TAG: name}, statuses=_ALIVE), limit=1)
    return (
        dg.SkipReason(f"run {alive[0].dagster_run.run_id[:8]} of {name} is still at work") if alive else None
    )


def _stay_fresh(instance: dg.DagsterInstance, asset: dg.AssetKey, every: Every, why: str) -> None:
    """A source in which nothing happens is up to date: say so now and then, or freshness would call it stale."""
    last = instance.get_latest_materialization_event(asset)
    if last is not None and time.time() - last.timestamp >= every.seconds:
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata={"up_to_date": why}))
