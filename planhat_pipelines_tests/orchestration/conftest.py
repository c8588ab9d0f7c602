"""A code location with syncs over the place of the test, and a Dagster instance of its own."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn
from planhat_pipelines.orchestration.sources import external_sources
from planhat_pipelines.orchestration.twoway import two_way_definitions
from planhat_pipelines.orchestration.usage import usage_definitions
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines.spec.usage import UsageSpec
from planhat_pipelines_tests.e2e.place import Place

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def resources() -> dict[str, Any]:
    """Read from the environment, all of them."""
    return {"snowflake": SnowflakeSignIn(), "planhat": PlanhatTenant(), "ledger": LedgerDatabase()}


class Location:
    """A code location with the given syncs."""

    def __init__(self, place: Place, instance: dg.DagsterInstance) -> None:
        self.place, self.instance = place, instance
        self.syncs: dict[str, dg.Definitions] = {}

    def add(self, facts: dict[str, Any]) -> None:
        """A sync as a user writes it; one of records goes both ways, or is a mirror."""
        self.syncs[facts["name"]] = (
            two_way_definitions(RecordsSpec.model_validate(facts))
            if "direction" in facts
            else usage_definitions(UsageSpec.model_validate(facts))
        )

    @property
    def definitions(self) -> dg.Definitions:
        """The same as in definitions.py, without the folder."""
        synced = dg.Definitions.merge(
            *self.syncs.values(),
            dg.Definitions(resources=resources(), executor=dg.in_process_executor),
        )
        return dg.Definitions.merge(synced, dg.Definitions(assets=external_sources(synced)))

    def run(self, sync: str = "seats", **config: bool) -> dg.ExecuteInProcessResult:
        """One run of the sync's job."""
        job = self.definitions.resolve_job_def(f"{sync}_job")
        op = {"ops": {f"{sync}_sync": {"config": config}}} if config else {}
        return job.execute_in_process(instance=self.instance, run_config=QUIET | op, raise_on_error=False)

    def tick(self, sync: str = "seats") -> tuple[bool, str]:
        """Whether the schedule starts a run now, and why."""
        schedule = self.definitions.resolve_schedule_def(f"{sync}_schedule")
        with dg.build_schedule_context(self.instance, resources=resources()) as context:
            data = schedule.evaluate_tick(context)
        if data.run_requests:
            return True, data.run_requests[0].tags["planhat/why"]
        return False, data.skip_message or ""

    def metadata(self, key: dg.AssetKey) -> dict[str, Any]:
        """What the latest materialisation says."""
        event = self.instance.get_latest_materialization_event(key)
        assert event
        assert event.asset_materialization
        return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}

    def checks(self, result: dg.ExecuteInProcessResult, asset: dg.AssetKey | None = None) -> dict[str, bool]:
        """Name and outcome of every check, of one asset or of all."""
        found = result.get_asset_check_evaluations()
        return {each.check_name: each.passed for each in found if asset in (None, each.asset_key)}


@pytest.fixture
def bare(place: Place, dagster: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Location:
    """A location without a sync, and an instance without a run."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    return Location(place, dagster)


@pytest.fixture
def location(bare: Location) -> Location:
    """A location with one usage sync."""
    place = bare.place
    bare.add(place.facts())
    place.companies("c-1")
    place.seats([(1, "c-1", "2026-01-01", 5), (2, "c-1", "2026-01-02", 6), (3, "later", "2026-01-02", 7)])
    return bare
