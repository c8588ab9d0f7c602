"""The check that reads Planhat back is one of its own in Dagster, and all of them are one weekly job."""

from __future__ import annotations

import dagster as dg

from planhat_pipelines.orchestration.verify import HOLDS, verify_weekly
from planhat_pipelines_tests.markdown import rows as rows_of
from planhat_pipelines_tests.orchestration.conftest import QUIET, Location
from planhat_pipelines_tests.records.crm import Crm


def test_a_weekly_job_looks_at_planhat_and_lists_what_is_missing_without_a_sync_running(
    location: Location,
) -> None:
    definitions = dg.Definitions.merge(location.definitions, verify_weekly(location.definitions))
    (schedule,) = (each for each in definitions.schedules or () if each.name == "verify_planhat_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.cron_schedule == "0 4 * * 0"
    location.run()
    crm = Crm(location.place)
    crm.call("DELETE", f"companies/{crm.held()['c-1']['_id']}")
    location.place.companies("c-1")

    job = definitions.resolve_job_def("verify_planhat")
    result = job.execute_in_process(instance=location.instance, run_config=QUIET)
    (found,) = result.get_asset_check_evaluations()
    assert (found.check_name, found.passed, found.severity) == (HOLDS, False, dg.AssetCheckSeverity.WARN)
    assert not found.blocking
    assert "2 missing" in str(found.description)
    assert found.metadata["missing"].value == 2
    rows = rows_of(str(found.metadata["drift"].value))
    assert {row["where"] for row in rows} == {"seats, 2026-01-01", "seats, 2026-01-02"}
    assert {row["key"] for row in rows} == {"c-1"}
