"""Changes of shape on both sides, and sources that went quiet, are checks of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from planhat_pipelines.definitions import defs
from planhat_pipelines.engine.checks.silence import silence
from planhat_pipelines.ledger import RunRecord
from planhat_pipelines.orchestration.verify import HOLDS
from planhat_pipelines.orchestration.watch import COMING, SHAPE, watch_daily
from planhat_pipelines_tests.markdown import rows as rows_of
from planhat_pipelines_tests.orchestration.conftest import QUIET, Location
from planhat_pipelines_tests.records.crm import Crm

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_shapes_are_compared_with_the_last_look_and_what_is_mapped_is_an_error(bare: Location) -> None:
    place, crm = bare.place, Crm(bare.place)
    crm.accounts()
    crm.custom("ARR", "number")
    fields = [
        {"column": "NAME", "field": "name"},
        {"column": "CITY", "field": "custom.ARR", "direction": "to_planhat"},
    ]
    bare.add(crm.facts(fields=fields, direction="both", changes="snapshot_diff"))
    definitions = dg.Definitions.merge(bare.definitions, watch_daily(bare.definitions))
    job = definitions.resolve_job_def("watch_sources")

    def look() -> tuple[bool, str, list[tuple[Any, ...]]]:
        result = job.execute_in_process(instance=bare.instance, run_config=QUIET)
        found = {each.check_name: each for each in result.get_asset_check_evaluations()}
        assert found[COMING].passed
        table: Any = found[SHAPE].metadata.get("changes")
        rows = [tuple(row.values()) for row in rows_of(table.value)] if table else list[tuple[Any, ...]]()
        return found[SHAPE].passed, found[SHAPE].severity.value, rows

    assert look() == (True, "WARN", [])
    place.sql("ALTER TABLE {table} ADD COLUMN EXTRA NUMBER(10,2)")
    crm.custom("Other")
    place.sql("ALTER TABLE {table} DROP COLUMN CITY")
    (arr,) = (each for each in crm.call("GET", "customfields") if each["name"] == "ARR")
    crm.call("PUT", f"customfields/{arr['_id']}", {"isLocked": True})
    locked = ("field", "custom.ARR", "is number, locked, and cannot be written", "yes")
    others = [
        ("column", "EXTRA", "appeared (NUMBER, 2 decimals)", "no"),
        ("field", "custom.Other", "appeared (text)", "no"),
    ]
    assert look() == (False, "ERROR", [("column", "CITY", "vanished", "yes"), locked, *others])
    assert look() == (False, "ERROR", [("column", "CITY", "is not there", "yes"), locked])


def run(days_ago: float, rows: int) -> RunRecord:
    at = NOW - timedelta(days=days_ago)
    return RunRecord(f"r{days_ago}", "s", "done", at, at, {"created": rows}, "")


def test_silence_is_unusual_only_when_it_is_longer_than_any_before() -> None:
    daily = [run(day, 5) for day in range(2, 12)]
    assert not silence([], NOW).is_unusual
    assert silence([run(0, 0)], NOW).text == "no run had a row yet"
    assert not silence(daily, NOW).is_unusual
    assert not silence([run(30, 5), run(31, 5)], NOW).is_unusual
    quiet = silence([run(0, 0), *(run(day, 5) for day in range(4, 12))], NOW)
    assert quiet.is_unusual
    assert quiet.text.startswith(
        "the last row came 4.0 days ago; the longest time without one was 24.0 hours"
    )


def test_the_code_location_has_jobs_for_checks_that_are_made_by_themselves() -> None:
    location = defs()
    looked = {"verify_planhat": HOLDS, "watch_sources": SHAPE}
    for job, check in looked.items():
        assert any(check in node.name for node in location.resolve_job_def(job).nodes)
    assert [node.name for node in location.resolve_job_def("accounts_job").nodes] == ["accounts_sync"]
