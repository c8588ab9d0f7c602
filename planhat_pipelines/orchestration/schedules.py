"""Cadences as schedules that start a run only when there is something to do and no run of the sync is alive."""

from collections.abc import Callable

import dagster as dg

from planhat_pipelines.orchestration.resources import LedgerDatabase, SnowflakeSignIn
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
    name: str,
    every: Every,
    job: str,
    look: Callable[[SnowflakeSignIn, LedgerDatabase], tuple[bool, str]],
) -> dg.ScheduleDefinition:
    """`look` says whether a run is due and why; it must be cheap, as it is asked at every tick."""

    @dg.schedule(
        name=f"{name}_schedule",
        job_name=job,
        cron_schedule=every.cron,
        execution_timezone=every.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs {name} {every.at} ({every.timezone}), unless nothing is new or a run is still at work.",
    )
    def tick(
        context: dg.ScheduleEvaluationContext, snowflake: SnowflakeSignIn, ledger: LedgerDatabase
    ) -> dg.RunRequest | dg.SkipReason:
        alive = context.instance.get_run_records(
            dg.RunsFilter(tags={SYNC_TAG: name}, statuses=_ALIVE), limit=1
        )
        if alive:
            return dg.SkipReason(f"run {alive[0].dagster_run.run_id[:8]} of {name} is still at work")
        run, why = look(snowflake, ledger)
        context.log.info(f"{name}: {why}")
        return dg.RunRequest(tags={"planhat/why": why[:250]}) if run else dg.SkipReason(why)

    return tick
