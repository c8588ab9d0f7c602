"""What a person sees of both directions in Dagster: an asset on either side, conflicts, checks, ticks with reasons."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from planhat_pipelines.ledger import NewConflict
from planhat_pipelines.orchestration import show
from planhat_pipelines.orchestration.local import sync_jobs
from planhat_pipelines_tests.markdown import rows as rows_of
from planhat_pipelines_tests.orchestration.conftest import Location
from planhat_pipelines_tests.twoway.pair import Pair

RECORDS = dg.AssetKey(["planhat", "company", "accounts"])


class Seen:
    """A pair of table and companies, and the location that runs its sync."""

    def __init__(self, location: Location) -> None:
        self.location, self.pair = location, Pair(location.place)

    @property
    def table(self) -> dg.AssetKey:
        return dg.AssetKey(["snowflake", *self.pair.table.split(".")])

    @property
    def back(self) -> dg.AssetKey:
        return dg.AssetKey([*self.table.path, "from_planhat"])

    def add(self, **changes: Any) -> None:
        self.location.add(self.pair.facts(**changes))

    def spec(self, key: dg.AssetKey) -> dg.AssetSpec:
        (found,) = (each for each in self.location.definitions.resolve_all_asset_specs() if each.key == key)
        return found

    def run(self, **config: bool) -> dict[str, Any]:
        """One run, and what it says of the records."""
        assert self.location.run("accounts", **config).success
        return self.location.metadata(RECORDS)

    def tick(self) -> tuple[bool, str]:
        return self.location.tick("accounts")


@pytest.fixture
def seen(bare: Location) -> Seen:
    return Seen(bare)


def test_each_side_has_an_asset_and_the_mapping_says_which_way_each_field_goes(seen: Seen) -> None:
    fields = [
        {"column": "NAME", "field": "name", "direction": "to_planhat"},
        {"column": "CITY", "field": "city"},
        {"column": "NOTE", "field": "phase", "direction": "to_snowflake"},
    ]
    seen.add(fields=fields, owners=["team:crm"], tags={"a": "b"})
    records, back = seen.spec(RECORDS), seen.spec(seen.back)
    assert [dep.asset_key for dep in records.deps] == [seen.table]
    assert [dep.asset_key for dep in back.deps] == [RECORDS]
    assert (records.kinds, back.kinds) == ({"planhat"}, {"snowflake"})
    assert list(back.owners) == ["team:crm"]
    assert back.freshness_policy
    rows = {tuple(line.strip("| ").split(" | ")) for line in records.metadata["mapping"].value.splitlines()}
    ways = {row[0]: row[-1] for row in rows}
    assert ways["`name`"] == "to Planhat"
    assert ways["`city`"] == "both ways"
    assert ways["`phase`"] == "to Snowflake"
    columns = {
        key: [column.name for column in seen.spec(key).metadata["dagster/column_schema"].columns]
        for key in (RECORDS, seen.back)
    }
    assert columns == {RECORDS: ["externalId", "name", "city"], seen.back: ["ID", "CITY", "NOTE"]}
    described = {each.name: each.description for each in records.metadata["dagster/column_schema"].columns}
    assert described["city"].endswith("CITY, and back")
    assert back.metadata["dagster/column_lineage"].deps_by_column["NOTE"][0].column_name == "phase"


def test_one_run_materialises_both_and_counts_each_way(seen: Seen) -> None:
    seen.pair.accounts(("a", "Acme", "Lund"), ("b", "Bolt", "Oslo"))
    seen.add()
    assert seen.run()["created"] == 2
    seen.pair.edit("a", city="Malmö")
    result = seen.location.run("accounts")
    assert result.success
    there, back = (seen.location.metadata(key) for key in (RECORDS, seen.back))
    assert (there["updated"], there["conflicts"], back["updated"]) == (0, 0, 1)
    assert back["dagster/row_count"] == 1
    assert "Z" in back["cursor_to"]
    assert seen.location.checks(result, RECORDS) == dict.fromkeys(
        ["verdicts_balance", "no_rejections", "sides_agree", "no_conflicts", "source_as_mapped"], True
    )
    assert seen.location.checks(result, seen.back) == dict.fromkeys(
        ["verdicts_balance", "no_rejections"], True
    )
    observed = seen.location.instance.fetch_observations(seen.table, limit=1).records
    assert observed[0].asset_observation.metadata["dagster/row_count"].value == 2


def test_a_conflict_is_shown_with_its_values_only_where_that_is_allowed(seen: Seen) -> None:
    seen.pair.accounts(("a", "Acme", "Lund"))
    seen.add()
    seen.run()
    seen.pair.edit("a", city="Malmö")
    seen.pair.sql("UPDATE {table} SET CITY = 'Uppsala'")
    result = seen.location.run("accounts")
    assert result.success
    assert seen.location.checks(result)["no_conflicts"] is False
    (masked,) = rows_of(seen.location.metadata(RECORDS)["conflicts_sample"])
    assert masked == {
        "key": "a",
        "field": "city",
        "stays": "snowflake",
        "snowflake": "7 characters",
        "planhat": "5 characters",
        "why": "both sides changed it (on_conflict: snowflake)",
    }
    assert "Malmö" not in repr(list(result.all_events))
    told = show.conflicts_metadata([NewConflict("a", "city", "snowflake", "Uppsala", None, "")], True)
    (open_,) = rows_of(told["conflicts_sample"].value)
    assert (open_["snowflake"], open_["planhat"]) == ("Uppsala", "")


def test_what_a_side_refused_keeps_the_sides_apart_until_it_is_mended(seen: Seen) -> None:
    seen.pair.table_of(
        "ID VARCHAR, NAME VARCHAR, CITY VARCHAR(5)", ("a", "Acme", "Lund"), ("b", "Bolt", "Oslo")
    )
    seen.add()
    seen.run()
    seen.pair.edit("a", city="Kristianstad")
    result = seen.location.run("accounts")
    assert result.success
    assert seen.location.checks(result, RECORDS)["sides_agree"] is False
    assert seen.location.checks(result, seen.back)["no_rejections"] is False
    (reason,) = rows_of(seen.location.metadata(seen.back)["reasons"])
    assert reason["field"] == "city"
    seen.pair.edit("a", city="Oslo")
    assert seen.location.checks(seen.location.run("accounts"))["sides_agree"]


def test_a_tick_starts_a_run_when_either_side_has_something_new(seen: Seen) -> None:
    seen.pair.accounts(("a", "Acme", "Lund"))
    seen.add()
    assert seen.tick() == (True, "Snowflake has changed")
    seen.run()
    seen.run()  # what the first one wrote comes back
    started, why = seen.tick()
    assert not started
    assert why.startswith("nothing new in Snowflake and Planhat since 20")
    seen.pair.edit("a", city="Malmö")
    assert seen.tick() == (True, "Planhat has changed")
    seen.run()
    assert seen.tick() == (True, "Snowflake has changed")  # as the run wrote to it
    seen.run()
    assert not seen.tick()[0]


def test_a_table_that_may_not_be_written_to_fails_once_and_says_which_grant_is_missing(seen: Seen) -> None:
    seen.pair.accounts(("a", "Acme", "Lund"))
    seen.add()
    seen.pair.sql("REVOKE UPDATE ON TABLE {table} FROM ROLE SYNC")
    try:
        result = seen.location.run("accounts")
    finally:
        seen.pair.sql("GRANT UPDATE ON TABLE {table} TO ROLE SYNC")
    assert not result.success
    assert seen.location.checks(result) == {"source_as_mapped": False}
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    assert "GRANT SELECT, UPDATE ON TABLE" in failure.step_failure_data.error_display_string
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert seen.pair.held() == {}


def test_the_brake_holds_a_run_until_it_is_let_through(seen: Seen) -> None:
    seen.pair.accounts(*((f"{at}", f"Company {at}", "Lund") for at in range(101)))
    seen.add(brake=0.001)
    seen.run()
    seen.pair.sql("UPDATE {table} SET CITY = 'Oslo'")
    assert not seen.location.run("accounts").success
    assert seen.run(allow_many_changes=True)["updated"] == 101


def test_a_mirror_is_downstream_of_all_records_of_its_model_and_looks_at_planhat_alone(seen: Seen) -> None:
    seen.pair.place.companies("a", "b")
    seen.add(direction="to_snowflake", create_table=True)
    model = dg.AssetKey(["planhat", "company"])
    assert [dep.asset_key for dep in seen.spec(seen.back).deps] == [model]
    assert seen.spec(model).group_name == "planhat"
    assert seen.tick() == (True, "Planhat has changed")
    result = seen.location.run("accounts")
    assert result.success
    assert seen.location.metadata(seen.back)["created"] == 2
    assert seen.location.checks(result) == dict.fromkeys(
        ["verdicts_balance", "no_rejections", "source_as_mapped"], True
    )
    observed = seen.location.instance.fetch_observations(model, limit=1).records
    assert observed[0].asset_observation.metadata["records_read"].value == 2
    assert seen.tick()[1].startswith("nothing new in Planhat")
    assert [job.sync for job in sync_jobs(seen.location.definitions)] == ["accounts"]
