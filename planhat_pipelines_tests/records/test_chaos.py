"""Writers, kills and a Planhat that fails: in the end its records equal the table, and every row has one verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from planhat_pipelines.engine.destinations import records
from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines_tests.e2e.place import open_session
from planhat_pipelines_tests.mortals import Mortals
from planhat_pipelines_tests.records.crm import Crm, of

SEED = 20261122


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    with Mortals("planhat_pipelines_tests.records.mortal", when="after") as mortals:
        yield mortals


@pytest.fixture
def issues(crm: Crm) -> Crm:
    """An empty table whose rows become issues, archived when they vanish."""
    crm.accounts()
    return crm


def facts(crm: Crm, **changes: Any) -> dict[str, Any]:
    issue = {"model": "issue", "key": {"column": "ID", "field": "sourceId"}, "on_delete": "archive"}
    fields = [{"column": "NAME", "field": "title"}, {"column": "CITY", "field": "status"}]
    return crm.facts(**issue, fields=fields, **changes)


def alike(crm: Crm) -> None:
    """Planhat's living issues are the rows of the table."""
    table = {key: (name, city) for key, name, city in crm.sql("SELECT ID, NAME, CITY FROM {table}")}
    held = crm.held("issue", "sourceId")
    assert {
        key: (each["title"], each.get("status")) for key, each in held.items() if not each["archived"]
    } == table


def balanced(crm: Crm) -> None:
    """Nothing is left open, what the ledger knows is what the table has, and no run claims more than it read."""
    assert crm.ledger.open_window("accounts") is None
    assert crm.ledger.batches("accounts", "intended") == []
    table = {key for (key,) in crm.sql("SELECT ID FROM {table}")}
    known = crm.ledger.records("accounts")
    assert set(known.filter(known["hash"] != 0)["key"]) == table
    for run in crm.ledger.runs("accounts"):
        if run.state == "done":
            ends = ("created", "updated", "unchanged", "refused", "parked")
            assert run.counts["rows_read"] == sum(run.counts[end] for end in ends)


def change(draw: random.Random, run: Any, table: str) -> None:
    """One statement or transaction of one writer."""
    key, other = (f"k{draw.randrange(20)}" for _ in range(2))
    value = f"v{draw.randrange(10_000)}"
    merge = (
        f"MERGE INTO {table} t USING (SELECT '{key}' AS I, '{value}' AS N) s ON t.ID = s.I "
        "WHEN MATCHED THEN UPDATE SET NAME = s.N WHEN NOT MATCHED THEN INSERT (ID, NAME) VALUES (s.I, s.N)"
    )
    kind = draw.randrange(6)
    if kind < 2:
        run(merge)
    elif kind == 2:
        run(f"DELETE FROM {table} WHERE ID = '{key}'")
    elif kind == 3:
        run(f"UPDATE {table} SET CITY = '{value}' WHERE ID IN ('{key}', '{other}')")
    else:
        run("BEGIN")
        run(f"UPDATE {table} SET NAME = '{value}' WHERE ID = '{key}'")
        run(f"DELETE FROM {table} WHERE ID = '{other}'")
        run("COMMIT" if kind == 4 else "ROLLBACK")


def test_planhat_equals_a_table_that_three_writers_change_all_the_time(
    issues: Crm, sync_environment: tuple[dict[str, str], Any]
) -> None:
    draw = random.Random(SEED)  # noqa: S311  (repeatable, not secret)
    spec = issues.spec(**facts(issues))
    with ExitStack() as stack:
        writers = [stack.enter_context(open_session(sync_environment[0])).cursor() for _ in range(3)]
        for _ in range(8):
            for _ in range(draw.randrange(5)):
                change(draw, draw.choice(writers).execute, issues.table)
            slow = draw.choice(writers)
            slow.execute("BEGIN")
            slow.execute(f"UPDATE {issues.table} SET NAME = 'slow{draw.random()}' WHERE ID = 'k0'")
            issues.run(spec, allow_many_changes=True)
            slow.execute(draw.choice(["COMMIT", "ROLLBACK"]))
    issues.run(spec, allow_many_changes=True)
    alike(issues)
    balanced(issues)
    report = issues.run(spec, full=True)
    assert report.items_sent == 0


@pytest.mark.parametrize(
    "changes", ["change_tracking", pytest.param("snapshot_diff", marks=pytest.mark.long)]
)
def test_runs_that_are_killed_at_any_moment_leave_planhat_like_the_table(
    issues: Crm, mortals: Mortals, changes: str
) -> None:
    draw = random.Random(f"{SEED} {changes}")  # noqa: S311
    issues.add(*((f"k{n}", f"N{n}") for n in range(11)))
    sync, environment = facts(issues, changes=changes, brake=1), issues.place.environment
    ends: list[str] = []
    for _ in range(3):
        for _ in range(2):
            when, nth = draw.choice(("before", "after")), draw.randrange(2, 23)
            ends.append(mortals.run(environment, sync, step="any", when=when, nth=nth, items=3))
        if draw.random() < 0.7:
            change(draw, issues.sql, issues.table)
    assert {"killed"} <= set(ends) <= {"killed", "done"}
    assert mortals.run(environment, sync, items=3) == "done"
    alike(issues)
    balanced(issues)
    spec = issues.spec(**sync)
    assert issues.run(spec, full=True).items_sent == 0
    alike(issues)


def test_a_whole_reading_that_was_killed_half_way_archives_nobody_it_had_sent(
    issues: Crm, mortals: Mortals
) -> None:
    issues.add(*((f"k{n}", f"N{n}") for n in range(9)))
    environment = issues.place.environment
    assert mortals.run(environment, facts(issues), step="any", nth=10, items=3) == "killed"
    sent = issues.ledger.batches("accounts", "settled")
    assert len(sent) in (1, 2)
    issues.run(issues.spec(**facts(issues)))
    alike(issues)
    assert len(issues.held("issue", "sourceId")) == 9


FAULTS: list[tuple[dict[str, Any], dict[str, int], set[str]]] = [
    ({"kind": "partial", "keys": ["k1", "k4"]}, {"created": 4, "refused": 2}, {"k1", "k4"}),
    ({"kind": "drop", "keys": ["k2"]}, {"created": 5, "refused": 1}, {"k2"}),
    ({"kind": "status", "status": 429, "count": 2}, {"created": 6}, set()),
    ({"kind": "status_after", "status": 500, "count": 1}, {"created": 3, "unchanged": 3}, set()),
    ({"kind": "reset_after", "count": 1}, {"created": 3, "unchanged": 3}, set()),
    ({"kind": "truncated", "count": 1}, {"created": 3, "unchanged": 3}, set()),
    ({"kind": "timeout_after", "seconds": 0.6, "count": 1}, {"created": 3, "unchanged": 3}, set()),
    ({"kind": "html", "status": 502, "count": 1}, {"created": 6}, set()),
]


@pytest.mark.parametrize(
    ("fault", "counts", "refused"), FAULTS, ids=["-".join(map(str, each[0].values())) for each in FAULTS]
)
def test_verdicts_balance_and_are_right_for_each_row_whatever_planhat_answers(
    issues: Crm,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    counts: dict[str, int],
    refused: set[str],
) -> None:
    monkeypatch.setattr(records, "ITEMS_A_REQUEST", 3)
    issues.add(*((f"k{n}", f"N{n}") for n in range(6)))
    issues.fault(name="issue", **fault)
    spec = issues.spec(**facts(issues))
    assert of(issues.run(spec)) == counts
    assert {each.row for each in issues.ledger.rejections("accounts")} == refused
    assert set(issues.held("issue", "sourceId")) == {f"k{n}" for n in range(6)} - refused
    issues.place.calm()
    for key in refused:
        issues.sql(f"UPDATE {{table}} SET NAME = 'again' WHERE ID = '{key}'")
    assert of(issues.run(spec)) == ({"created": len(refused)} if refused else {})
    alike(issues)
    balanced(issues)


def test_a_planhat_that_stays_down_fails_the_run_and_the_next_one_goes_on(
    issues: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "ITEMS_A_REQUEST", 3)
    issues.add(*((f"k{n}", f"N{n}") for n in range(9)))
    issues.fault("status_after", name="issue", status=500, skip=1)
    spec = issues.spec(**facts(issues))
    with pytest.raises(PlanhatError):
        issues.run(spec)
    issues.place.calm()
    report = issues.run(spec)
    assert (of(report), report.recovered) == ({"unchanged": 3, "created": 3}, 3)
    alike(issues)
    balanced(issues)
