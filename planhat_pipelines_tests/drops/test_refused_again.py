"""A row that Planhat refused is tried again when it is dropped again."""

from __future__ import annotations

from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines_tests.drops.dock import Dock, csv, next_second


def test_a_refused_row_that_is_dropped_again_unchanged_is_tried_again_and_its_rejection_closes(
    dock: Dock,
) -> None:
    dock.companies("c-1")
    rows = [("u1", "c-1", "a@x.io", "Ann"), ("u2", "c-1", "b@x.io", "Bo")]
    dock.drop("people.csv", csv("id,account,email,first", rows))
    dock.fault("partial", path="/endusers", keys=["u1"])
    first = dock.run(dock.people())
    assert (first.verdicts["created"], first.verdicts["refused"]) == (1, 1)
    assert [each.key for each in dock.ledger.rejections()] == ["u1"]

    dock.calm()
    next_second()
    dock.drop("people.csv", csv("id,account,email,first", rows))
    second = dock.run(dock.people())
    assert (second.verdicts["created"], second.verdicts["unchanged"]) == (1, 1)
    assert dock.records("enduser", "firstName") == {"u1": ("Ann",), "u2": ("Bo",)}
    assert dock.ledger.rejections() == []


def test_of_rows_known_by_an_address_the_ledger_keeps_a_hash_and_people_see_it_masked(dock: Dock) -> None:
    dock.companies("c-1")
    spec = dock.people(
        records={
            "model": "enduser",
            "key": {"column": "email", "field": "email"},
            "company": {"column": "account", "id": "external"},
            "fields": [{"column": "first", "field": "firstName"}, {"column": "id", "field": "externalId"}],
        }
    )
    rows = [("u1", "c-1", "a@x.io", "Ann"), ("u2", "c-1", "b@x.io", "Bo"), ("u3", "", "c@x.io", "Cy")]
    dock.drop("people.csv", csv("id,account,email,first", rows))
    dock.fault("partial", path="/endusers", keys=["b@x.io"])
    report = dock.run(spec)
    assert (report.verdicts["created"], report.verdicts["refused"]) == (1, 2)
    assert {each.key for each in report.sample} == {"b…@x.io", "c…@x.io"}
    assert {each.key for each in dock.ledger.rejections()} == {hidden("b@x.io"), hidden("c@x.io")}
    dock.calm()
    next_second()
    dock.drop("people.csv", csv("id,account,email,first", [*rows[:2], ("u3", "c-1", "c@x.io", "Cy")]))
    second = dock.run(spec)
    assert (second.verdicts["created"], second.verdicts["unchanged"]) == (2, 1)
    assert dock.ledger.rejections() == []
    assert set(dock.ledger.records("people")["key"]) == {hidden(f"{one}@x.io") for one in "abc"}
