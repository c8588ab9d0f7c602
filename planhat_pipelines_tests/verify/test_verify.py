"""Planhat held against the ledger: what is missing, differs or came twice is named, and can be sent again."""

from __future__ import annotations

from typing import Any

from planhat_pipelines.engine.checks.verified import Drift, Verified
from planhat_pipelines.engine.checks.verify import heal, verified
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm


def look(place: Place, spec: AnySpec, **how: Any) -> Verified:
    with place.client() as client:
        return verified(spec, place.session, client, place.ledger, 0.0, **how)


def test_records_that_vanished_or_were_edited_are_named_by_key_and_field_and_go_again(place: Place) -> None:
    crm = Crm(place)
    crm.custom("ARR", "number")
    fields = [
        {"column": "NAME", "field": "name"},
        {"column": "CITY", "field": "city", "nulls": "leave"},
        {"column": "NOTE", "field": "custom.ARR"},
    ]
    spec = crm.spec(fields=fields)
    crm.accounts(*((f"a{at}", f"Name {at}", None, f"{at}.50") for at in range(6)))
    place.put(
        "companies",
        {"externalId": "other", "name": "Not ours"},
        {"externalId": "a2", "name": "Old", "city": "Old"},
    )
    crm.run(spec)
    account = look(place, spec)
    assert account.is_well
    assert account.looked == {"records sent": 6, "looked for": 6, "compared": 6}

    crm.call("PUT", "companies/extid-a1", {"name": "Somebody's"})
    crm.call("PUT", "companies/extid-a2", {"city": "Rome"})
    crm.call("PUT", "companies/extid-a3", {"custom": {"ARR": 7}})
    held = crm.held()
    crm.call("DELETE", f"companies/{held['a4']['_id']}")
    crm.sql("UPDATE {table} SET NAME = 'New' WHERE ID = 'a5'")
    account = look(place, spec)
    assert sorted(account.drift, key=lambda each: each.key) == [
        Drift("differs", "a1", "name"),
        Drift("differs", "a3", "custom.ARR"),
        Drift("missing", "a4"),
    ]
    assert "1 sampled rows have changed" in account.notes[0]
    assert "--heal" in account.line()

    assert heal(place.ledger, account) == 3
    crm.run(spec)
    assert look(place, spec).is_well
    assert {key: each["name"] for key, each in crm.held().items() if key in ("a1", "a4")} == {
        "a1": "Name 1",
        "a4": "Name 4",
    }


def test_a_refused_record_is_not_missed_and_an_address_is_never_shown(place: Place) -> None:
    crm = Crm(place)
    place.companies("c1")
    crm.table_of(
        "ID VARCHAR, NAME VARCHAR, ACCOUNT VARCHAR",
        ("ann@example.com", "Ann", "c1"),
        ("bo@example.com", "Bo", "c1"),
    )
    spec = crm.spec(
        model="enduser",
        key={"column": "ID", "field": "email"},
        company={"column": "ACCOUNT"},
        fields=[{"column": "NAME", "field": "firstName"}],
    )
    crm.run(spec)
    assert look(place, spec).looked["compared"] == 2
    gone = crm.held("enduser", "email")["ann@example.com"]["_id"]
    crm.call("DELETE", f"endusers/{gone}")
    (drift,) = look(place, spec).drift
    assert drift.kind == "missing"
    assert drift.key.startswith("email#")


def test_it_stops_at_the_allowed_calls_and_says_how_far_it_came(place: Place) -> None:
    crm = Crm(place)
    crm.accounts(("a1", "One"), ("a2", "Two"))
    crm.run()
    place.planhat.admin("DELETE", "log")
    account = look(place, crm.spec(), calls=2)  # the custom fields, twice
    assert len(place.planhat.admin("GET", "log", limit=100)) == 2
    assert account.is_well
    assert account.looked["looked for"] == 0
    assert "after 0 records" in account.notes[0]


def test_points_that_are_missing_or_came_twice_are_named_by_target_metric_and_day(place: Place) -> None:
    place.companies("c1", "c2")
    rows = [(1, "c1", "2026-01-30", 1), (2, "c1", "2026-02-01", 2), (3, "c2", "2026-02-01", 3)]
    place.seats([*rows, (4, "c2", "2026-02-01", 3)])
    spec = place.spec()
    place.run(spec)
    account = look(place, spec)
    assert account.is_well
    assert account.looked["points looked for"] == 4
    assert account.months == [("2026-01", "seats", 1, 1), ("2026-02", "seats", 3, 3)]

    gone, again = ("c2", "2026-02-01"), ("c1", "2026-01-30")
    with place.client() as client:
        client.metrics(
            b'[{"dimensionId":"seats","value":1,"externalId":"c1","model":"Company","date":"2026-01-30"}]'
        )
    crm = Crm(place)
    crm.call("DELETE", f"companies/{crm.held()['c2']['_id']}")
    account = look(place, spec)
    assert account.drifted == {"doubled": 1, "missing": 2}
    assert Drift("doubled", again[0], f"seats, {again[1]}") in account.drift
    assert Drift("missing", gone[0], "no record has this id any more") in account.drift
    place.companies("c2")
    account = look(place, spec)
    assert account.drift.count(Drift("missing", gone[0], f"seats, {gone[1]}")) == 2
    assert account.again == []
    assert "none is sent again by itself" in account.line()
