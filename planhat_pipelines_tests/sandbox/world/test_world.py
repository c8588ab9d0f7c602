"""The world is reproducible, looks like a software company's data, and holds what a sync has to cope with."""

from __future__ import annotations

import io
import json
import unicodedata
from datetime import date, timedelta

import openpyxl
import polars as pl
import pytest

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines.sandbox.world import World, build, next_day

AS_OF = date(2026, 11, 16)  # a Monday
SEATS = "PRODUCT.PUBLIC.DAILY_SEATS"


@pytest.fixture(scope="module")
def world() -> World:
    return build(AS_OF)


@pytest.fixture(scope="module")
def small() -> World:
    return build(AS_OF, scale=0.1)


@pytest.fixture(params=["small", "world"])
def any_size(request: pytest.FixtureRequest) -> World:
    return request.getfixturevalue(request.param)


def seats_by_day(world: World, story: str) -> dict[date, int]:
    ids = [who.account_id for who in world.cast if who.story == story]
    rows = world.table(SEATS).rows.filter(
        pl.col("ACCOUNT_ID").is_in(ids) & pl.col("USAGE_DATE").is_not_null()
    )
    summed = rows.group_by("USAGE_DATE").agg(pl.col("ACTIVE_SEATS").sum())
    return dict(summed.iter_rows())


def test_the_same_seed_gives_the_same_world_to_the_byte(small: World) -> None:
    again = build(AS_OF, scale=0.1)
    assert all(
        one.rows.equals(other.rows) and one.columns == other.columns
        for one, other in zip(small.tables, again.tables, strict=True)
    )
    assert small.drops == again.drops
    assert small.records == again.records
    assert next_day(small).changed == next_day(again).changed


def test_another_seed_gives_another_world(small: World) -> None:
    other = build(AS_OF, seed=8, scale=0.1)
    assert not other.table(SEATS).rows.equals(small.table(SEATS).rows)
    assert other.drops != small.drops


def test_a_larger_world_begins_with_the_smaller_one(world: World, small: World) -> None:
    assert world.cast[: len(small.cast)] == small.cast


def test_the_default_size_is_three_hundred_customers_with_ninety_days_of_usage(world: World) -> None:
    heights = {table.name: table.rows.height for table in world.tables}
    assert heights["CRM.PUBLIC.ACCOUNTS"] == 300
    assert 23_000 < heights[SEATS] < 27_000
    assert 8_500 < heights["PRODUCT.PUBLIC.EVENTS"] < 11_500
    days = world.table(SEATS).rows["USAGE_DATE"]
    assert (days.min(), days.max()) == (AS_OF - timedelta(days=90), AS_OF - timedelta(days=1))


def test_weekends_are_quieter_than_weekdays(world: World) -> None:
    by_day = seats_by_day(world, "steady")
    week = [by_day[AS_OF - timedelta(days=ago)] for ago in range(7, 0, -1)]
    assert max(week[5:]) < 0.5 * min(week[:5])


def test_some_customers_grow_some_decline_in_the_last_thirty_days_and_some_leave(world: World) -> None:
    def mondays(story: str) -> list[int]:
        by_day = seats_by_day(world, story)
        return [by_day.get(AS_OF - timedelta(days=7 * ago), 0) for ago in range(12, 0, -1)]

    growing, declining, churned, new = (
        mondays(story) for story in ("growing", "declining", "churned", "new")
    )
    assert growing[-1] > 1.3 * growing[0]
    assert declining[-1] < 0.6 * declining[0]
    assert declining[6] > 0.9 * declining[0]  # the fall is of the last thirty days
    assert churned[0] > 0
    assert churned[-1] == 0
    assert new[0] == 0
    assert new[-1] > 0


@pytest.mark.parametrize(
    "script",
    [
        "LATIN",
        "GREEK",
        "CYRILLIC",
        "ARABIC",
        "HEBREW",
        "DEVANAGARI",
        "THAI",
        "CJK",
        "HIRAGANA",
        "KATAKANA",
        "HANGUL",
    ],
)
def test_contacts_are_written_in_many_scripts(world: World, script: str) -> None:
    names = world.table("CRM.PUBLIC.CONTACTS").rows
    letters = set("".join([*names["FIRST_NAME"], *names["LAST_NAME"]])) - set(" -'")
    assert any(unicodedata.name(letter).startswith(script) for letter in letters)


def test_mail_addresses_are_ascii_whatever_the_script(world: World) -> None:
    addresses = world.table("CRM.PUBLIC.CONTACTS").rows["EMAIL"].drop_nulls()
    assert addresses.str.contains(r"^[a-z0-9.]+@[a-z0-9.-]+\.example$").all()


def test_keys_are_unique_and_never_null(any_size: World) -> None:
    for table in any_size.tables:
        key = table.rows[table.key]
        assert key.null_count() == 0
        assert key.is_unique().all(), table.name


def test_ids_with_leading_zeros_and_missing_values_are_there(world: World) -> None:
    accounts = world.table("CRM.PUBLIC.ACCOUNTS").rows
    assert accounts["ACCOUNT_ID"].str.starts_with("0").sum() == 30
    for column in ("NAME", "ARR", "OWNER_EMAIL", "CITY", "CSM_SCORE", "PROFILE"):
        assert accounts[column].null_count() > 0, column


def test_bad_usage_rows_are_there_at_every_size(any_size: World) -> None:
    rows = any_size.table(SEATS).rows
    known = {who.account_id for who in any_size.cast}
    totals = [json.loads(payload)["minutes"]["total"] for payload in rows["PAYLOAD"].drop_nulls()]
    assert "n/a" in totals
    assert set(rows["ACCOUNT_ID"].drop_nulls()) - known >= {"ACC-UNKNOWN"}
    assert rows["USAGE_DATE"].null_count() == 1
    assert rows["ACCOUNT_ID"].null_count() == 1
    events = any_size.table("PRODUCT.PUBLIC.EVENTS").rows
    assert events["HAPPENED_AT"].null_count() == 1


def test_part_of_the_customers_is_not_in_planhat_yet(world: World) -> None:
    accounts = set(world.table("CRM.PUBLIC.ACCOUNTS").rows["ACCOUNT_ID"])
    companies = {record.get("externalId") for record in world.records["company"]}
    assert 30 < len(accounts - companies) < 100
    assert None in companies  # prospects made by hand


def test_records_of_the_tenant_have_only_writable_fields_and_all_required_ones(world: World) -> None:
    for name, records in world.records.items():
        model = MODELS[name]
        required = {field.name for field in model.fields.values() if field.required}
        for record in records:
            assert required <= set(record), name
            assert all(not model.fields[field].read_only for field in record), name
    assert set(world.custom_fields[0]) <= set(MODELS["custom_field"].fields)


def test_an_end_user_or_asset_of_the_tenant_names_a_company_that_is_there(world: World) -> None:
    companies = {f"extid-{record.get('externalId')}" for record in world.records["company"]}
    for name in ("enduser", "asset", "project"):
        assert {record["companyId"] for record in world.records[name]} <= companies


def test_the_device_log_has_semicolons_and_lines_that_cannot_be_read(world: World) -> None:
    log = world.drops["devices/devices-2026-11-14.csv"].decode()
    assert log.startswith("customer;device_id;seen_at;minutes\r\n")
    assert ";n/a\r\n" in log
    assert ";yesterday;" in log
    assert "ACC-UNKNOWN;" in log


def test_the_legacy_workbook_keeps_ids_as_text(world: World) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(world.drops["legacy/accounts.xlsx"])).active
    assert sheet is not None
    header, *rows = sheet.iter_rows(values_only=True)
    assert header[:2] == ("Account Id", "Company")
    assert any(str(row[0]).startswith("0") for row in rows)
    assert all(isinstance(row[0], str) for row in rows)
    assert any(row[4] == "unknown" for row in rows)


def test_the_webinar_drop_is_a_json_array_of_nested_objects(world: World) -> None:
    (people,) = (json.loads(content) for key, content in world.drops.items() if key.endswith(".json"))
    assert {"id", "account", "name", "email", "attended"} == set(people[0])
    assert people[0]["account"]["id"] == world.cast[2].account_id


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_next_day_brings_usage_of_that_day_and_one_late_row_below_the_last_key(
    small: World, number: int
) -> None:
    day = AS_OF + timedelta(days=number - 1)
    before = small if number == 1 else next_day(small, number - 1)
    seen = [
        table for table in (before.tables if isinstance(before, World) else before.new) if table.name == SEATS
    ]
    (new,) = (table for table in next_day(small, number).new if table.name == SEATS)
    late = new.rows.filter(pl.col("ROW_ID") < seen[0].rows["ROW_ID"].max())
    assert late.height == 1
    assert late["USAGE_DATE"].item() == day - timedelta(days=1)
    assert late["ROW_ID"].item() not in seen[0].rows["ROW_ID"]
    assert set(new.rows["USAGE_DATE"]) == {day, day - timedelta(days=1)}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_company_whose_usage_was_there_before_signs_every_day(small: World, number: int) -> None:
    def usage_until(last: int) -> set[str | None]:
        tables = [
            *small.tables,
            *(table for done in range(1, last + 1) for table in next_day(small, done).new),
        ]
        return {account for table in tables if table.name == SEATS for account in table.rows["ACCOUNT_ID"]}

    (accounts,) = (table for table in next_day(small, number).new if table.name == "CRM.PUBLIC.ACCOUNTS")
    (signed,) = accounts.rows["ACCOUNT_ID"]
    assert signed not in set(small.table("CRM.PUBLIC.ACCOUNTS").rows["ACCOUNT_ID"])
    assert signed in usage_until(number - 1)


@pytest.mark.parametrize("number", [1, 2])
def test_a_next_day_changes_accounts_and_companies_and_both_sides_one_field_of_one(
    any_size: World, number: int
) -> None:
    tomorrow = next_day(any_size, number)
    before = {
        row["ACCOUNT_ID"]: row for row in any_size.table("CRM.PUBLIC.ACCOUNTS").rows.iter_rows(named=True)
    }
    assert len(tomorrow.changed) == 3
    for account, columns in tomorrow.changed.items():
        assert all(
            before[account][column] != value
            for column, value in columns.items()
            if column not in ("UPDATED_AT", "IS_REFERENCE")
        )
    held = {record.get("externalId"): record for record in any_size.records["company"]}
    edited = {
        (edit["externalId"], name.upper()): value
        for edit in tomorrow.edits
        for name, value in edit.items()
        if name != "externalId" and held[edit["externalId"]].get(name) != value
    }
    assert len(edited) == 4
    both = [place for place in edited if place[1] in tomorrow.changed.get(place[0], {})]
    assert [name for _, name in both] == ["PHASE"]
    (place,) = both
    assert tomorrow.changed[place[0]]["PHASE"] != edited[place]


def test_the_crm_knows_no_scores_until_they_come_from_planhat(world: World) -> None:
    assert world.table("CRM.PUBLIC.ACCOUNTS").rows["CSM_SCORE"].is_null().all()
    assert any(record.get("csmScore") for record in world.records["company"])


def test_a_world_too_small_or_too_large_is_refused() -> None:
    for scale in (0.01, 40):
        with pytest.raises(ValueError, match="customers; the world holds 20 to 9000"):
            build(AS_OF, scale=scale)
