"""A dry run from the Launchpad says what would be, and leaves assets, checks, cursors and both sides as they are."""

from __future__ import annotations

import dagster as dg
import pytest

from planhat_pipelines_tests.e2e.place import DATABASE
from planhat_pipelines_tests.orchestration.conftest import Location
from planhat_pipelines_tests.twoway.pair import Pair

SEATS = dg.AssetKey(["planhat", "metrics", "seats"])
ACCOUNTS = dg.AssetKey(["planhat", "company", "accounts"])


def observed(location: Location, key: dg.AssetKey) -> dict[str, object]:
    (found,) = location.instance.fetch_observations(key, limit=5).records
    assert found.asset_observation
    return {name: entry.value for name, entry in found.asset_observation.metadata.items()}


def test_a_dry_run_of_usage_observes_the_asset_and_makes_nothing(location: Location) -> None:
    place = location.place
    place.add([(4, "c-1", None, 1)])
    place.planhat.admin("DELETE", "log")
    result = location.run(dry_run=True)
    assert result.success
    seen = observed(location, SEATS)
    assert (seen["dry_run"], seen["is_well"]) == (True, False)
    assert "| seats | 2 |" in str(seen["plan"])
    assert "| 1 | DAY | " in str(seen["plan"])
    assert location.instance.get_latest_materialization_event(SEATS) is None
    assert (location.checks(result), place.cursor(), place.ledger.runs()) == ({}, None, [])
    assert {entry["method"] for entry in place.planhat.admin("GET", "log", limit=100)} == {"GET"}
    result = location.run()
    assert (location.metadata(SEATS)["submitted"], location.checks(result)["no_rejections"]) == (2, False)
    assert location.run(dry_run=True).success  # nor does one make what was made before look newer
    assert location.metadata(SEATS)["submitted"] == 2


def test_a_dry_run_both_ways_tells_each_field_masked_and_writes_to_neither_side(bare: Location) -> None:
    pair = Pair(bare.place)
    pair.accounts(("a", "Acme", "Lund"))
    bare.add(pair.facts())
    assert bare.run("accounts", dry_run=True).success
    assert (pair.held(), bare.instance.get_latest_materialization_event(ACCOUNTS)) == ({}, None)
    seen = observed(bare, ACCOUNTS)
    assert "| a | name | 4 characters |" in str(seen["plan"])
    back = dg.AssetKey(["snowflake", *pair.table.split("."), "from_planhat"])
    assert observed(bare, back)["dry_run"] is True
    assert bare.tick("accounts")[0]


def test_a_run_brings_itself_to_the_row_log_and_one_that_is_not_there_only_warns(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANHAT_ROW_LOG", f"{DATABASE}.NO_SUCH_SCHEMA")
    result = location.run()
    assert result.success
    assert location.metadata(SEATS)["submitted"] == 2
    place = location.place
    place.sql(f"CREATE SCHEMA IF NOT EXISTS {DATABASE}.LOG_OF_RUNS")
    place.sql(f"USE SCHEMA {DATABASE}.PUBLIC")  # which the CREATE has left
    monkeypatch.setenv("PLANHAT_ROW_LOG", f"{DATABASE}.LOG_OF_RUNS")
    second = location.run()
    logged = place.sql(f"SELECT RUN, SUBMITTED FROM {DATABASE}.LOG_OF_RUNS.PLANHAT_RUNS ORDER BY STARTED_AT")
    for name in ("RUNS", "BATCHES", "REJECTIONS"):
        place.sql(f"DROP TABLE {DATABASE}.LOG_OF_RUNS.PLANHAT_{name}")
    assert logged == [(result.run_id, 2), (second.run_id, 0)]
