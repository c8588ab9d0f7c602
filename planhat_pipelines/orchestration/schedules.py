"""Cadences as schedules that start a run only when there is something to do and no run of the sync is alive."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from planhat_pipelines.engine.due import Due
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.orchestration.resources import LedgerDatabase
from planhat_pipelines.spec.cadence import Every

SYNC_TAG = "planhat/sync"
_ALIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_schedule(
    name: str, every: Every, job: str, resource: str, look: Callable[[Any, Ledger], Due]
) -> dg.ScheduleDefinition:
    """`look` says whether a run is due and why; it must be cheap, as it is asked at every tick. It gets the resource of
    that key, and the ledger."""

    @dg.schedule(
        name=f"{name}_schedule",
        job_name=job,
        cron_schedule=every.cron,
        execution_timezone=every.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={resource, "ledger"},
        description=f"Runs {name} {every.at} ({every.timezone}), unless nothing is new or a run is still at work.",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        alive = context.instance.get_run_records(
            dg.RunsFilter(tags={SYNC_TAG: name}, statuses=_ALIVE), limit=1
        )
        if alive:
            return dg.SkipReason(f"run {alive[0].dagster_run.run_id[:8]} of {name} is still at work")
        ledger: LedgerDatabase = context.resources.ledger
        with ledger.open() as book:
            found = look(getattr(context.resources, resource), book)
        context.log.info(f"{name}: {found.why}")
        return dg.RunRequest(tags={"planhat/why": found.why[:250]}) if found.run else dg.SkipReason(found.why)

    return tick
