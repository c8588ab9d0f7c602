"""Run the jobs of all syncs in this process, as real runs of a Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from planhat_pipelines.orchestration.schedules import SYNC_TAG

_ORDER = {"company": 0, "metrics": 2, "activities": 2}  # all other models may refer to companies
_MIRROR = 3  # takes what all others have brought
_CONFIG: dict[str, Any] = {
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    "execution": {"config": {"retries": {"disabled": {}}}},  # who looks on is told at once
}
_STOPPED = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")


@dataclass(frozen=True)
class SyncJob:
    """One sync that can be run now."""

    sync: str
    kind: str | None  # a model, metrics or activities; None for a mirror, which makes nothing in Planhat
    _job: dg.JobDefinition = field(repr=False)

    def run(self, instance: dg.DagsterInstance) -> str | None:
        """Run it to its end as a run of the instance; what went wrong, if anything did. Raises KeyboardInterrupt when
        it was told to stop, which Dagster would count as a failure of the run alone."""
        result = self._job.execute_in_process(instance=instance, run_config=_CONFIG, raise_on_error=False)
        if result.success:
            return None
        for event in result.filter_events(lambda event: event.is_step_failure):
            error = event.step_failure_data.error
            while error is not None:
                if error.cls_name in _STOPPED:
                    raise KeyboardInterrupt
                if error.cause is None:
                    return " ".join(error.message.split())
                error = error.cause
        return "the run failed before its sync began"


def sync_jobs(definitions: dg.Definitions) -> list[SyncJob]:
    """The jobs of all syncs, companies before what refers to them, and mirrors at last."""
    made = {spec.key.path[2]: spec.key.path[1] for spec in _planhat_assets(definitions)}
    jobs = [
        SyncJob(sync, made.get(sync), job)
        for job in definitions.resolve_all_job_defs()
        if (sync := job.tags.get(SYNC_TAG))
    ]
    return sorted(jobs, key=lambda job: (_ORDER.get(job.kind, 1) if job.kind else _MIRROR, job.sync))


def _planhat_assets(definitions: dg.Definitions) -> Iterator[Any]:
    specs = definitions.resolve_all_asset_specs()
    return (spec for spec in specs if spec.key.path[0] == "planhat" and len(spec.key.path) > 2)
