"""What a person sees of a usage sync in Dagster: assets, metadata, checks, ticks with reasons, failures that tell."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from planhat_pipelines.engine.report import Report
from planhat_pipelines.ledger import schema
from planhat_pipelines.orchestration.declared import account_checked
from planhat_pipelines.orchestration.schedules import SYNC_TAG
from planhat_pipelines.spec.usage import UsageSpec
from planhat_pipelines_tests.markdown import rows as rows_of
from planhat_pipelines_tests.orchestration.conftest import Location

ASSET = dg.AssetKey(["planhat", "metrics", "seats"])


def test_a_run_shows_counts_cursor_mapping_and_checks_and_observes_its_source(location: Location) -> None:
    result = location.run()
    assert result.success
    shown = location.metadata(ASSET)
    assert (shown["rows_read"], shown["submitted"], shown["parked"], shown["refused"]) == (3, 2, 1, 0)
    assert (shown["cursor_from"], shown["cursor_to"], shown["dagster/row_count"]) == ("start", "3", 2)
    assert location.checks(result) == dict.fromkeys(
        ["verdicts_balance", "no_rejections", "nothing_held", "all_readable", "source_as_mapped"], True
    )
    (spec,) = (spec for spec in location.definitions.resolve_all_asset_specs() if spec.key == ASSET)
    table = location.place.table
    assert f"from {table} |" in spec.metadata["mapping"].value
    columns = {column.name: column.description for column in spec.metadata["dagster/column_schema"].columns}
    assert f"from {table}.ACCOUNT_ID" in str(columns["target"])
    source = dg.AssetKey(["snowflake", *table.split(".")])
    assert [dep.asset_key for dep in spec.deps] == [source]
    lineage = spec.metadata["dagster/column_lineage"].deps_by_column
    assert lineage["seats"][0].asset_key == source
    observed = location.instance.fetch_observations(source, limit=5).records
    assert observed[0].asset_observation.metadata["read_up_to"].value == "3"
    upstream = {spec.key for spec in location.definitions.resolve_all_asset_specs()}
    assert source in upstream


def test_refused_rows_are_shown_with_their_reasons_and_fail_a_check_but_not_the_run(
    location: Location,
) -> None:
    location.place.add([(4, "c-1", None, 1), (5, "c-1", None, 2)])
    result = location.run()
    assert result.success
    assert location.checks(result)["no_rejections"] is False
    shown = location.metadata(ASSET)
    (reason,) = rows_of(shown["reasons"])
    assert (reason["rows"], reason["field"]) == ("2", "DAY")
    assert [row["row"] for row in rows_of(shown["refused_sample"])] == ["4", "5"]


def test_a_tick_starts_a_run_only_when_there_is_something_to_do_and_says_why(location: Location) -> None:
    place = location.place
    assert location.tick() == (True, "the source has changed")
    location.run()
    started, why = location.tick()
    assert not started
    assert why.startswith("nothing new in the source since 20")
    assert why.endswith("1 rows are parked")
    place.add([(4, "c-1", "2026-01-03", 8)])
    assert location.tick() == (True, "the source has changed")
    location.run()
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    with place.ledger.database.write() as connection:
        connection.execute(sa.update(schema.parked).values(since=long_ago, tried_at=long_ago))
    assert location.tick() == (True, "1 parked rows are looked up again")
    location.run()
    assert not location.tick()[0]
    with place.ledger.claim("seats", "left") as claim:
        claim.begin(place.source().next(None).bounds | {"commit": "0"}, place.ledger.cursor("seats").version)
    assert location.tick() == (True, "an earlier run left work unfinished")


def test_a_tick_over_an_empty_table_starts_nothing(location: Location) -> None:
    location.place.seats()
    assert location.tick() == (False, "nothing new in the source")


def test_a_tick_skips_while_a_run_of_the_same_sync_is_alive(location: Location) -> None:
    job = location.definitions.resolve_job_def("seats_job")
    alive = location.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={SYNC_TAG: "seats"}
    )
    assert location.tick() == (False, f"run {alive.run_id[:8]} of seats is still at work")
    location.instance.delete_run(alive.run_id)
    assert location.tick()[0]


def test_an_error_that_no_retry_can_help_fails_once_and_says_what_to_do(location: Location) -> None:
    location.place.sql("ALTER TABLE {table} RENAME COLUMN SEATS TO SEATS_USED")
    result = location.run()
    assert not result.success
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    said = failure.step_failure_data.error_display_string
    assert "NotFound" in said
    assert "Did you mean SEATS_USED?" in said
    assert location.checks(result) == {"source_as_mapped": False}
    assert location.place.cursor() is None


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("PLANHAT_TOKEN", "not-a-token", "401"),
        ("PLANHAT_TOKEN", "", "PLANHAT_TOKEN is not set"),
        ("SNOWFLAKE_PASSWORD", "wrong", "390100"),
    ],
)
def test_a_refused_sign_in_is_not_tried_again(
    location: Location, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, word: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = location.run()
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    said = failure.step_failure_data.error_display_string
    assert word in said
    assert os.environ["PLANHAT_TENANT"] not in said
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_a_run_while_another_holds_the_sync_fails_at_once_and_changes_nothing(location: Location) -> None:
    with location.place.ledger.claim("seats", "other run"):
        result = location.run()
    assert not result.success
    assert location.place.cursor() is None
    assert location.run().success


def test_rows_held_in_doubt_fail_a_check(location: Location) -> None:
    place = location.place
    place.put("endusers", {"externalId": "c-1", "email": "one@example.com", "companyId": "extid-c-1"})
    location.add(place.activity_facts() | {"name": "clicks"})
    place.fault("reset_after", activities=True)
    result = location.run("clicks")
    assert result.success
    checks = location.checks(result)
    assert (checks["nothing_held"], checks["verdicts_balance"]) == (False, True)


def test_no_address_and_no_secret_is_shown(location: Location) -> None:
    place = location.place
    place.add([(4, "ada@example.com", None, 1), (5, "eve@example.com", "2026-01-01", 1)])
    location.add(place.activity_facts(enduser={"column": "ACCOUNT_ID", "id": "email"}) | {"name": "clicks"})
    result = location.run("clicks")
    assert result.success
    told = repr(list(result.all_events))
    for secret in ("ada@", "eve@", place.environment["PLANHAT_TENANT"], place.environment["PLANHAT_TOKEN"]):
        assert secret not in told


@pytest.mark.parametrize(
    ("refused", "passed", "severity"), [(0, True, "WARN"), (2, False, "WARN"), (3, False, "ERROR")]
)
def test_refused_rows_are_a_warning_up_to_the_share_that_a_sync_allows_and_an_error_above_it(
    refused: int, passed: bool, severity: str
) -> None:
    facts = {
        "name": "seats",
        "table": "A.B.C",
        "incrementing_key": "ID",
        "every": "1h",
        "refused_at_most": 0.02,
    }
    acts = {"enduser": {"column": "EMAIL", "id": "email"}, "action": "NAME", "date": "DAY"}
    report = Report("seats", "run", rows_read=100)
    report.count({"submitted": 100 - refused, "refused": refused})
    balance, rejections = account_checked(
        UsageSpec.model_validate(facts | {"activities": acts}), ASSET, report
    )
    assert balance.passed
    assert (rejections.passed, rejections.severity.value) == (passed, severity)
