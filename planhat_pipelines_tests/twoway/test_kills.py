"""A run that is killed at any of its steps leaves nothing behind that the next one does not put right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines_tests.records.mortal import Mortals
from planhat_pipelines_tests.twoway.pair import Pair, make_small, quiet

KEYS = [f"k{at}" for at in range(8)]


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    with Mortals() as mortals:
        yield mortals


@pytest.fixture
def many(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Accounts on both sides, of which a few are many, and a mark for those that Planhat no longer has."""
    make_small(monkeypatch.setattr)
    pair.overlap = 0.0
    pair.table_of(
        "ID VARCHAR, NAME VARCHAR, CITY VARCHAR, GONE BOOLEAN",
        *((key, f"Name {key}", "Lund", None) for key in KEYS),
    )
    return pair


def busy(pair: Pair, at: int) -> dict[str, tuple[Any, ...]]:
    """Edits of every kind, and what both sides have to hold after them."""
    pair.sql(f"UPDATE {{table}} SET NAME = 'here {at}' WHERE ID IN ('k0', 'k1', 'k2', 'k3')")
    for key in ("k3", "k4", "k5", "k6"):
        pair.edit(key, city=f"there {at}")
    pair.edit("k7", name=f"theirs {at}")
    pair.sql(f"UPDATE {{table}} SET NAME = 'ours {at}' WHERE ID = 'k7'")
    pair.sql(f"INSERT INTO {{table}} SELECT 'row {at}', 'Made here {at}', NULL, NULL")
    pair.call("POST", "companies", {"externalId": f"record {at}", "name": f"Made there {at}"})
    rows, fields = pair.rows(), pair.fields("name", "city")
    both = {key: (rows[key][0], fields[key][1]) for key in KEYS}
    return both | {f"row {at}": rows[f"row {at}"], f"record {at}": fields[f"record {at}"]}


def test_whatever_step_a_run_is_killed_at_the_next_one_brings_both_sides_together(
    many: Pair, mortals: Mortals
) -> None:
    facts = many.facts(insert_new=True, gone_column="GONE", brake=1)
    spec = many.spec(**facts)
    many.run(spec)
    ends: list[str] = []
    for at in range(1, 40):
        expected = busy(many, at)
        ends.append(mortals.run(many.place.environment, facts, 2 * at + 1, overlap=many.overlap))
        many.run(spec)
        rows = many.rows()
        assert rows == many.fields("name", "city")
        assert {key: rows[key] for key in expected} == expected, at
        assert many.ledger.batches("accounts", "intended") == []
        if ends[-1] == "done":
            break
    assert set(ends) == {"killed", "done"}
    lost = {(each.row, each.planhat) for each in many.ledger.conflicts("accounts") if each.field == "name"}
    assert lost == {("k7", f"theirs {at}") for at in range(1, len(ends) + 1)}
    assert quiet(many.run(spec, full=True))


def test_a_first_run_that_is_killed_empties_nothing_where_the_sides_meet(
    many: Pair, mortals: Mortals
) -> None:
    facts = many.facts(brake=1)
    for step in (9, 13, 17, 21, 25):
        many.place.planhat.admin("POST", "reset")
        for key in KEYS:
            many.call("POST", "companies", {"externalId": key, "name": f"Name {key}"})
        sync = {**facts, "name": f"killed_{step}"}
        assert mortals.run(many.place.environment, sync, step, overlap=0.0) == "killed"
        many.run(many.spec(**sync))
        assert many.rows() == many.fields("name", "city") == {key: (f"Name {key}", "Lund") for key in KEYS}


def test_a_record_that_was_gone_before_anybody_knew_is_made_whole_and_empties_no_row(
    many: Pair, mortals: Mortals
) -> None:
    spec, facts = many.spec(), many.facts()
    many.run(spec)
    many.run(spec)
    for step in (0, 16, 18):
        many.call("DELETE", f"companies/{many.held()['k1']['_id']}")
        many.sql(f"UPDATE {{table}} SET NAME = 'edited {step}' WHERE ID = 'k1'")
        mortals.run(many.place.environment, facts, step, overlap=0.0)
        for _ in range(2):
            many.run(spec)
        assert many.rows()["k1"] == many.fields("name", "city")["k1"] == (f"edited {step}", "Lund")


def test_a_value_that_arrived_before_its_row_stopped_to_fit_is_no_edit_of_planhat(pair: Pair) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    spec = pair.spec(on_conflict="planhat")
    pair.run(spec)
    pair.sql("UPDATE {table} SET CITY = 'Ystad'")
    pair.fault("status_after", status=500)
    with pytest.raises(PlanhatError):
        pair.run(spec)
    pair.place.calm()
    pair.sql("UPDATE {table} SET NAME = NULL")
    assert pair.run(spec).sent.verdicts["refused"] == 1
    pair.sql("UPDATE {table} SET NAME = 'Acme', CITY = 'Kiel'")
    assert pair.run(spec).conflicts == []
    assert pair.rows() == pair.fields("name", "city") == {"a": ("Acme", "Kiel")}
