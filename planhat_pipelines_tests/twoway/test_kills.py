"""A run that is killed at any of its steps leaves nothing behind that the next one does not put right."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines_tests.mortals import Mortals
from planhat_pipelines_tests.twoway.mortal import steps
from planhat_pipelines_tests.twoway.pair import Pair, make_small, quiet

KEYS = [f"k{at}" for at in range(8)]
OF_OTHERS = {"hold", "leave", "sum_up", "supersede", "write_drop"}  # steps of other kinds of sync

# The steps of a run in their order. In each line, runs die at one after the other, one on top of the other, as long as
# there is something left that leads there; then a run is left alone. Before a step is after the one before it, as
# nothing is written down in between, so "before" is told where the two sides are touched, and at the start.
LINES = (
    ("before reject", "after reject", "after unpark", "after park", "after tried", "after forget_bases"),
    ("after conflict", "after agree", "after intend", "before upsert", "after upsert", "after settle"),
    ("before write", "after write", "after drop"),
    ("before mark_gone", "after mark_gone", "after resolve", "after remember_bases"),
    ("after begin", "after abandon", "after commit"),
    ("after finish",),
)


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


def killed(
    pair: Pair,
    mortals: Mortals,
    sync: dict[str, Any],
    step: str,
    when: str,
    nth: int = 1,
    *,
    full: bool = False,
) -> str:
    """A run that dies at a step; how it ended."""
    facts = {"sync": sync, "overlap": pair.overlap, "full": full}
    return mortals.run(pair.place.environment, facts, step=step, when=when, nth=nth)


def busy(pair: Pair, at: int) -> dict[str, tuple[Any, ...]]:
    """Edits of every kind, and what both sides have to hold after them."""
    pair.sql(
        f"UPDATE {{table}} SET NAME = IFF(ID = 'k7', 'ours {at}', 'here {at}') "
        "WHERE ID IN ('k0', 'k1', 'k2', 'k3', 'k7')"
    )
    held = {each["externalId"]: each for each in pair.call("GET", "companies")}
    edits = {
        **{key: {"city": f"there {at}"} for key in ("k3", "k4", "k5", "k6")},
        "k7": {"name": f"theirs {at}"},
    }
    pair.place.put("companies", *({"_id": held[key]["_id"], **values} for key, values in edits.items()))
    pair.sql(f"INSERT INTO {{table}} SELECT 'row {at}', 'Made here {at}', NULL, NULL")
    pair.place.put("companies", {"externalId": f"record {at}", "name": f"Made there {at}"})
    if at:
        pair.call("DELETE", f"companies/{held[f'record {at - 1}']['_id']}")
    rows, fields = pair.rows(), pair.fields("name", "city")
    both = {key: (rows[key][0], fields[key][1]) for key in KEYS}
    return both | {f"row {at}": rows[f"row {at}"], f"record {at}": fields[f"record {at}"]}


def test_every_step_of_a_run_is_one_at_which_runs_die_here() -> None:
    assert {step.split()[1] for line in LINES for step in line} == steps().keys() - OF_OTHERS


def test_whatever_step_runs_are_killed_at_the_next_one_brings_both_sides_together(
    many: Pair, mortals: Mortals, every_case: bool
) -> None:
    lines = LINES if every_case else LINES[1:3]
    facts = many.facts(insert_new=True, gone_column="GONE", brake=1)
    spec = many.spec(**facts)
    many.run(spec)
    for at, line in enumerate(lines):
        full = "after mark_gone" in line
        expected = busy(many, at)
        for each in line:
            when, step = each.split()
            assert killed(many, mortals, facts, step, when, full=full) == "killed", each
        many.run(spec, full=full)
        rows = many.rows()
        fields = many.fields("name", "city")
        assert {key: rows[key] for key in fields} == fields, line
        assert {key: rows[key] for key in expected} == expected, line
        assert set(rows) - set(fields) == {f"record {gone}" for gone in range(at)}, line
        assert many.ledger.batches("accounts", "intended") == []
    lost = {(each.row, each.planhat) for each in many.ledger.conflicts("accounts") if each.field == "name"}
    assert lost == {("k7", f"theirs {at}") for at in range(len(lines))}
    many.run(spec, full=True)
    assert {key for key, (gone,) in many.rows("GONE").items() if gone} == set(many.rows()) - set(
        many.fields()
    )
    assert quiet(many.run(spec, full=True))


def test_a_first_run_that_is_killed_empties_nothing_where_the_sides_meet(
    many: Pair, mortals: Mortals
) -> None:
    facts = many.facts(brake=1)
    for at, (step, nth) in enumerate((("agree", 2), ("upsert", 1), ("upsert", 2))):
        many.place.planhat.admin("POST", "reset")
        many.place.put("companies", *({"externalId": key, "name": f"Name {key}"} for key in KEYS))
        sync = {**facts, "name": f"killed_{at}"}
        assert killed(many, mortals, sync, step, "after", nth) == "killed"
        many.run(many.spec(**sync))
        assert many.rows() == many.fields("name", "city") == {key: (f"Name {key}", "Lund") for key in KEYS}


def test_a_record_that_was_gone_before_anybody_knew_is_made_whole_and_empties_no_row(
    many: Pair, mortals: Mortals
) -> None:
    spec, facts = many.spec(), many.facts()
    many.run(spec)
    many.run(spec)
    for step in ("no step", "upsert", "settle"):
        many.call("DELETE", f"companies/{many.held()['k1']['_id']}")
        many.sql(f"UPDATE {{table}} SET NAME = 'edited {step}' WHERE ID = 'k1'")
        killed(many, mortals, facts, step, "after")
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
