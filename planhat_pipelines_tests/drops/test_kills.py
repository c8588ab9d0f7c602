"""A run is killed with SIGKILL at every step of a drop; the next one loses nothing and doubles nothing."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv, day, ends, next_second
from planhat_pipelines_tests.mortals import Mortals

FIRST, SECOND = "2026-11-01", "2026-11-02"
LOGS = [
    *[("c-1", FIRST, 1), ("c-1", FIRST, 2), ("c-2", FIRST, 4), ("c-1", SECOND, 8), ("c-2", SECOND, 16)],
    *[("c-9", FIRST, 32), ("c-1", "never", 64)],
]
POINTS = {("c-1", FIRST, 3.0), ("c-2", FIRST, 4.0), ("c-1", SECOND, 8.0), ("c-2", SECOND, 16.0)}
PEOPLE = [
    *[("u1", "c-1", "a@x.io", "Old"), ("u2", "c-1", "b@x.io", "Bo"), ("u1", "c-1", "a@x.io", "Al")],
    *[("u3", "c-1", "c@x.io", "Cy"), ("", "c-1", "d@x.io", "Di"), ("u5", "c-9", "e@x.io", "Ed")],
]
SENDING = [("intend", 2), ("send", 2), ("settle", 1), ("commit", 1)]  # the others do not ask what rows become
STEPS = [
    ("claim a drop", 1),
    ("fetch", 1),
    ("mid parse", 1),
    ("refused rows", 1),
    ("archive", 1),
    ("delete", 1),
]


def held(dock: Dock) -> Any:
    return {(who, when, value) for (_, who, when, value), times in dock.points().items() if times == 1}


def expected(dock: Dock) -> Any:
    return {(who, day(when), value) for who, when, value in POINTS}


@pytest.mark.matrix
@pytest.mark.parametrize(("step", "nth"), [*STEPS, *SENDING])
def test_metrics_survive_a_kill_after(dock: Dock, mortals: Mortals, step: str, nth: int) -> None:
    dock.companies("c-1", "c-2")
    dock.drop("log.csv", csv("customer,at,minutes", LOGS))
    step = "send points" if step == "send" else step
    assert mortals.run(dock.environment, dock.facts(), step=step, nth=nth) == "killed"
    assert dock.source().changed(None)
    dock.run()
    assert held(dock) == expected(dock)
    assert sum(dock.points().values()) == len(POINTS)
    (drop,) = dock.trail()
    assert sum(ends(drop).values()) == len(LOGS)
    assert (drop["counts"]["refused"], drop["counts"]["parked"]) == (1, 1)
    assert dock.rejected("log.csv")[1:] == [["c-1", "never", "64", "8", "at is not a date"]]
    dock.settled()


@pytest.mark.parametrize(("step", "nth"), SENDING)
def test_records_survive_a_kill_after(dock: Dock, mortals: Mortals, step: str, nth: int) -> None:
    dock.companies("c-1")
    dock.drop("who.csv", csv("id,account,email,first", PEOPLE))
    step = "send records" if step == "send" else step
    assert mortals.run(dock.environment, dock.people(), step=step, nth=nth) == "killed"
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {"u1": ("Al",), "u2": ("Bo",), "u3": ("Cy",)}
    (drop,) = dock.trail()
    assert sum(ends(drop).values()) == len(PEOPLE)
    assert [drop["counts"][end] for end in ("duplicate", "refused", "parked")] == [1, 1, 1]
    assert [row[4] for row in dock.rejected("who.csv")[1:]] == ["6"]
    dock.settled(dock.people())


@pytest.mark.parametrize("step", ["settle", "archive"])
def test_a_file_overwritten_between_kill_and_restart_is_imported_in_both_versions(
    dock: Dock, mortals: Mortals, step: str
) -> None:
    dock.companies("c-1")
    dock.drop("log.csv", csv("customer,at,minutes", [("c-1", FIRST, 1)]))
    assert mortals.run(dock.environment, dock.facts(), step=step) == "killed"
    next_second()
    dock.drop("log.csv", csv("customer,at,minutes", [("c-1", FIRST, 2)]))
    dock.run()
    assert dock.points() == {("minutes", "c-1", day(FIRST), value): 1 for value in (1.0, 2.0)}
    assert len(dock.keys("processed/")) == 2
    dock.settled()
