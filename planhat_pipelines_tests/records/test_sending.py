"""What is sent, when it is sent again, and what stops a run before it sends."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines.engine.syncs.records import records_source
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.snowflake.records import RecordsTable
from planhat_pipelines_tests.records.crm import USUAL, Crm, of

CONTACTS: dict[str, Any] = {
    "name": "contacts",
    "model": "enduser",
    "company": {"column": "ACC"},
    "fields": [{"column": "EMAIL", "field": "email"}],
}


def contacts(crm: Crm, *rows: tuple[str | None, str | None], columns: str = "ACC VARCHAR") -> None:
    crm.table_of(
        f"ID VARCHAR, {columns}, EMAIL VARCHAR", *((key, company, f"{key}@x.io") for key, company in rows)
    )


def test_a_changed_mapping_is_applied_to_rows_that_did_not_change(crm: Crm) -> None:
    crm.accounts(("a", "Ana", "Oslo"), ("b", "Bo"))
    crm.run()
    crm.sent()
    wider = crm.spec(fields=[*USUAL, {"column": "CITY", "field": "country", "nulls": "leave"}])
    assert not records_source(crm.spec(), crm.place.session).changed(crm.ledger.cursor("accounts").value)
    assert records_source(wider, crm.place.session).changed(crm.ledger.cursor("accounts").value)
    report = crm.run(wider)
    assert (of(report), report.items_sent) == ({"updated": 1, "unchanged": 1}, 1)
    assert any("the mapping" in line for line in crm.log)
    assert crm.run(wider).rows_read == 0


def test_a_row_that_planhat_refused_is_not_sent_again_until_its_data_change(crm: Crm) -> None:
    crm.accounts(("a", "Ana"), ("b", "Bo"))
    crm.fault("partial", keys=["b"])
    assert of(crm.run()) == {"created": 1, "refused": 1}
    crm.place.calm()
    crm.sent()
    for _ in range(3):
        report = crm.run(full=True)
        assert (of(report), report.items_sent, crm.sent()) == ({"unchanged": 1, "refused": 1}, 0, 0)
        assert "refused on order" in crm.ledger.rejections("accounts")[0].reason
    # It stops to fit, and fits again as it was: Planhat has never taken it, so it has to go.
    crm.sql("UPDATE {table} SET NAME = NULL WHERE ID = 'b'")
    assert of(crm.run()) == {"refused": 1}
    crm.sql("UPDATE {table} SET NAME = 'Bo' WHERE ID = 'b'")
    assert of(crm.run()) == {"created": 1}
    assert of(crm.run(full=True)) == {"unchanged": 2}
    assert crm.ledger.rejections("accounts") == []
    assert crm.names() == {"a": "Ana", "b": "Bo"}


def test_a_value_outside_a_list_is_refused_by_row_and_goes_when_the_list_has_it(crm: Crm) -> None:
    crm.custom("Tier", "list", listValues=["gold"])
    spec = crm.spec(fields=[*USUAL[:1], {"column": "CITY", "field": "custom.Tier"}])
    crm.accounts(("a", "Ana", "gold"), ("b", "Bo", "silver"), ("c", "Cy", None))
    assert of(crm.run(spec)) == {"created": 2, "refused": 1}
    (refused,) = crm.ledger.rejections("accounts")
    assert (refused.row, refused.field, refused.reason) == (
        "b",
        "custom.Tier",
        "is not in the field's list of values",
    )
    (field,) = crm.call("GET", "customfields")
    crm.call("PUT", f"customfields/{field['_id']}", {"listValues": ["gold", "silver"]})
    assert of(crm.run(spec)) == {"created": 1, "unchanged": 2}
    assert crm.ledger.rejections("accounts") == []


def test_everything_that_does_not_fit_the_tenant_is_said_at_once_and_before_anything_is_sent(
    crm: Crm,
) -> None:
    crm.custom("Sum", "number", isFormula=True, formula="1 + 1")
    crm.custom("Kept", "text", isLocked=True)
    crm.custom("Level", "number")
    crm.custom("Other model", parent="EndUser")
    crm.accounts(("a", "Ana"))
    names = ["Sum", "Kept", "Unknown", "Other model"]
    fields: list[dict[str, Any]] = [
        *USUAL,
        *({"column": "NOTE", "field": f"custom.{name}"} for name in names),
    ]
    fields.append({"column": "NOTE", "field": "custom.Level", "type": "boolean"})
    with pytest.raises(MappingError) as raised:
        crm.run(crm.spec(fields=fields))
    said = str(raised.value)
    assert all(name in said for name in [*names, "Level", "formula", "locked", "takes number"])
    assert crm.sent() == 0
    assert crm.ledger.cursor("accounts").value is None


def test_the_whole_table_is_read_on_demand_and_when_it_is_due(crm: Crm) -> None:
    crm.accounts(("a", "Ana"), ("b", "Bo"))
    spec = crm.spec(full_every="1h")
    crm.run(spec)
    assert crm.run(spec).rows_read == 0
    report = crm.run(spec, full=True)
    assert (report.rows_read, report.items_sent) == (2, 0)
    with crm.place.client() as planhat:
        sync = crm.sync(spec, planhat)
        assert isinstance(sync.source, RecordsTable)
        assert sync.source.full_every == 3600
        assert not sync.source.changed(crm.ledger.cursor("accounts").value)
        sync.source.full_every = 0.0
        assert sync.source.changed(crm.ledger.cursor("accounts").value)
        assert sync.run("due").rows_read == 2


def test_updated_at_reads_what_is_newer_and_what_comes_a_little_late(crm: Crm) -> None:
    crm.table_of("ID VARCHAR, NAME VARCHAR, CITY VARCHAR, AT TIMESTAMP_NTZ", tracked=False)

    def put(key: str, at: str) -> None:
        crm.sql(f"DELETE FROM {{table}} WHERE ID = '{key}'")
        crm.sql(f"INSERT INTO {{table}} SELECT '{key}', 'at {at}', NULL, '2026-01-01 {at}'::TIMESTAMP_NTZ")

    spec = crm.spec(changes="updated_at", updated_at="AT")
    put("a", "10:00:00")
    assert of(crm.run(spec)) == {"created": 1}
    put("b", "12:00:00")
    put("c", "09:55:00")
    assert of(crm.run(spec)) == {"created": 2, "unchanged": 1}
    put("d", "11:55:00")
    put("a", "09:00:00")  # deeper in the past than any late commit: only a full reading finds it
    assert of(crm.run(spec)) == {"created": 1, "unchanged": 1}
    assert of(crm.run(spec, full=True)) == {"updated": 1, "unchanged": 3}
    crm.sql("DELETE FROM {table}")
    assert crm.run(spec).rows_read == 0
    put("e", "11:59:00")
    assert of(crm.run(spec)) == {"created": 1}


@pytest.mark.parametrize("kind", ["planhat", "external", "source"])
def test_a_record_finds_its_company_by_any_id_and_waits_for_one_that_is_not_there(
    crm: Crm, kind: str
) -> None:
    spec = crm.spec(**{**CONTACTS, "company": {"column": "ACC", "id": kind}})
    ids = crm.place.put(
        "companies",
        {"name": "One", "externalId": "007", "sourceId": "s-1"},
        {"name": "Two", "externalId": "7", "sourceId": "s-2"},
    )
    one, two = {"planhat": ids, "external": ["007", "7"], "source": ["s-1", "s-2"]}[kind]
    unknown = "0" * 24 if kind == "planhat" else "later"
    contacts(crm, ("u1", one), ("u2", f" {two} "), ("u3", unknown), ("u4", None), ("u5", ""))
    assert of(crm.run(spec)) == {"created": 2, "parked": 1, "refused": 2}
    held = crm.held("enduser")
    assert {key: each["companyId"] for key, each in held.items()} == {"u1": ids[0], "u2": ids[1]}
    assert {each.reason for each in crm.ledger.rejections("contacts")} == {
        "is empty, and an End User needs a company"
    }
    if kind == "planhat":
        return
    crm.place.put("companies", {"name": "Late", "externalId": "later", "sourceId": "later"})
    assert of(crm.run(spec)) == {"created": 1}
    assert crm.ledger.parked("contacts") == []
    assert crm.run(spec).rows_read == 0


def test_a_company_that_lies_empty_inside_a_variant_is_refused_and_not_left_to_planhat(crm: Crm) -> None:
    crm.place.put("companies", {"name": "One", "externalId": "c", "domains": ["x.io"]})
    crm.sql("CREATE OR REPLACE TABLE {table} (ID VARCHAR, P VARIANT, EMAIL VARCHAR) CHANGE_TRACKING = TRUE")
    for key, text in (("u1", '{"acc": "c"}'), ("u2", "{}"), ("u3", '{"acc": null}')):
        crm.sql(f"INSERT INTO {{table}} SELECT '{key}', PARSE_JSON('{text}'), '{key}@x.io'")
    assert of(crm.run(crm.spec(**{**CONTACTS, "company": {"column": "P", "path": "acc"}}))) == {
        "created": 1,
        "refused": 2,
    }
    assert set(crm.held("enduser")) == {"u1"}


def test_a_waiting_row_that_moves_to_a_known_company_or_vanishes_waits_no_longer(crm: Crm) -> None:
    crm.place.companies("c")
    contacts(crm, ("u1", "later"), ("u2", "later"), ("u3", "later"))
    spec = crm.spec(**CONTACTS)
    assert of(crm.run(spec)) == {"parked": 3}
    crm.sql("UPDATE {table} SET ACC = 'c' WHERE ID = 'u1'")
    crm.sql("DELETE FROM {table} WHERE ID = 'u2'")
    assert of(crm.run(spec)) == {"created": 1, "unchanged": 1}
    assert [each.row for each in crm.ledger.parked("contacts")] == ["u3"]
    crm.sql("INSERT INTO {table} SELECT 'u3', 'later', 'copy@x.io'")
    crm.place.companies("later")
    assert of(crm.run(spec))["refused"] >= 1
    assert set(crm.held("enduser")) == {"u1"}


def test_a_company_made_by_the_same_round_is_found_by_the_sync_that_follows(crm: Crm) -> None:
    crm.accounts(("c-9", "Nine"))
    crm.run()
    contacts(crm, ("u1", "c-9"))
    assert of(crm.run(crm.spec(**CONTACTS))) == {"created": 1}
    assert crm.held("enduser")["u1"]["companyName"] == "Nine"


def test_waiting_rows_of_a_sync_that_computes_with_numbers_are_looked_up_in_peace(crm: Crm) -> None:
    crm.custom("Twice", "number", "EndUser")
    crm.place.companies("c")
    crm.table_of("ID VARCHAR, ACC VARCHAR, N NUMBER(10,2)", ("u1", "c", 1.25), ("u2", "later", 2))
    spec = crm.spec(**{**CONTACTS, "fields": [{"expression": "N * 2", "field": "custom.Twice"}]})
    assert of(crm.run(spec)) == {"created": 1, "parked": 1}
    crm.sql("UPDATE {table} SET N = 3 WHERE ID = 'u1'")
    assert of(crm.run(spec)) == {"updated": 1}
    assert crm.held("enduser")["u1"]["custom"] == {"Twice": 6}


def issues(crm: Crm, count: int, **changes: Any) -> Any:
    crm.accounts(*((f"k{n:03}", f"N{n}") for n in range(count)))
    spec = crm.spec(
        model="issue",
        key={"column": "ID", "field": "sourceId"},
        fields=[{"column": "NAME", "field": "title"}],
        **changes,
    )
    assert of(crm.run(spec)) == {"created": count}
    crm.sent()
    return spec


def test_an_archived_record_comes_back_with_its_row(crm: Crm) -> None:
    spec = issues(crm, 3, on_delete="archive")
    crm.sql("DELETE FROM {table} WHERE ID = 'k001'")
    assert of(crm.run(spec)) == {"updated": 1}
    assert crm.held("issue", "sourceId")["k001"]["archived"] is True
    assert of(crm.run(spec, full=True)) == {"unchanged": 2}
    crm.add(("k001", "N1"))
    assert of(crm.run(spec)) == {"updated": 1}
    assert not any(each["archived"] for each in crm.held("issue", "sourceId").values())


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE {table} SET NAME = NAME || '!'", "change"),
        ("DELETE FROM {table} WHERE ID > 'k010'", "archive"),
    ],
)
def test_a_mass_change_stops_before_it_sends_and_is_let_through_or_taken_back(
    crm: Crm, statement: str, word: str
) -> None:
    spec = issues(crm, 130, on_delete="archive")
    crm.sql("CREATE OR REPLACE TABLE {table}_OLD AS SELECT * FROM {table}")
    crm.sql(statement)
    for _ in range(2):
        with pytest.raises(Brake, match=f"would {word} more than 100 of 130 .*allow_many_changes"):
            crm.run(spec)
    assert crm.sent() == 0
    assert crm.ledger.open_window("accounts") is None
    crm.sql("DELETE FROM {table}")
    crm.sql("INSERT INTO {table} SELECT * FROM {table}_OLD")
    assert of(crm.run(spec)) == {"unchanged": 130}
    crm.sql(statement)
    assert of(crm.run(spec, allow_many_changes=True))["updated"] >= 119
    crm.sql("DROP TABLE {table}_OLD")
