"""Rows of companies that Planhat does not know wait, and go from the archived drop when it does: exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv, day, metrics, next_second
from planhat_pipelines_tests.mortals import Mortals

WHEN = "2026-11-01"
HEAD = "customer,at,minutes"
WHO = "id,account,email,first"


def point(who: str, value: float) -> tuple[str, str, int, float]:
    return "minutes", who, day(WHEN), value


def two_drops_that_wait(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-9", WHEN, 1), ("c-1", WHEN, 2), ("c-9", WHEN, 4)]))
    dock.drop("b.csv", csv(HEAD, [("c-9", WHEN, 8), ("c-8", WHEN, 16)]))
    report = dock.run()
    assert report.verdicts["parked"] == 4
    assert dock.points() == {point("c-1", 2.0): 1}


def test_points_of_several_drops_go_apart_when_the_company_appears(dock: Dock) -> None:
    two_drops_that_wait(dock)
    dock.companies("c-9")
    report = dock.run()
    assert dock.points() == {point("c-1", 2.0): 1, point("c-9", 5.0): 1, point("c-9", 8.0): 1}
    assert (report.rows_read, report.verdicts["submitted"]) == (3, 3)
    assert [each.target for each in dock.ledger.parked("devices")] == ["c-8"]
    before = dock.points()
    assert dock.run().rows_read == 0
    assert dock.points() == before
    dock.settled()


@pytest.mark.parametrize(
    ("step", "when"), [("send points", "before"), ("send points", "after"), ("settle", "after")]
)
def test_a_kill_while_waiting_rows_go_doubles_none(
    dock: Dock, mortals: Mortals, step: str, when: str
) -> None:
    two_drops_that_wait(dock)
    dock.companies("c-9")
    order: dict[str, Any] = {"step": step, "when": when, "items": 10}
    assert mortals.run(dock.environment, dock.facts(), **order) == "killed"
    dock.run()
    assert dock.points() == {point("c-1", 2.0): 1, point("c-9", 5.0): 1, point("c-9", 8.0): 1}
    assert [each.target for each in dock.ledger.parked("devices")] == ["c-8"]
    dock.settled()


@pytest.mark.parametrize("kind", ["timeout_after", "timeout_before"])
def test_a_lost_answer_to_waiting_rows_doubles_none(dock: Dock, kind: str) -> None:
    two_drops_that_wait(dock)
    dock.companies("c-9")
    dock.fault(kind, method="POST", seconds=1, count=1)
    dock.run()
    dock.run()
    assert dock.points() == {point("c-1", 2.0): 1, point("c-9", 5.0): 1, point("c-9", 8.0): 1}
    assert len(dock.ledger.parked("devices")) == 1


def test_a_company_that_appears_between_kill_and_restart_gets_its_points_once(
    dock: Dock, mortals: Mortals
) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-9", WHEN, 1), ("c-1", WHEN, 2), ("c-8", WHEN, 4)]))
    assert mortals.run(dock.environment, dock.facts(), step="settle") == "killed"
    assert len(dock.ledger.parked("devices")) == 2
    dock.companies("c-9")
    dock.run()
    dock.run()
    assert dock.points() == {point("c-1", 2.0): 1, point("c-9", 1.0): 1}
    assert [each.target for each in dock.ledger.parked("devices")] == ["c-8"]
    dock.settled()


def test_waiting_records_go_with_the_newest_values_last(dock: Dock, mortals: Mortals) -> None:
    names = ["z.csv", "b.csv", "m.csv", "a.csv"]
    dock.companies("c-1")
    for number, name in enumerate(names):
        dock.drop(name, csv(WHO, [("u1", "c-9", "a@x.io", f"Name {number}")]))
        next_second()
    dock.run(dock.people())
    assert len(dock.ledger.parked("people")) == len(names)
    dock.companies("c-9")
    order = {"step": "send records", "when": "after", "nth": 2}
    assert mortals.run(dock.environment, dock.people(), **order) == "killed"
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {"u1": ("Name 3",)}
    assert dock.ledger.parked("people") == []
    dock.settled(dock.people())


def test_waiting_rows_whose_archive_is_gone_or_does_not_fit_any_more_are_refused_and_stop_nothing(
    dock: Dock,
) -> None:
    two_drops_that_wait(dock)
    (archive,) = (each["archive"] for each in dock.trail() if each["key"].endswith("a.csv"))
    dock.s3.delete_object(Bucket="drops", Key=archive)
    dock.companies("c-9", "c-8")
    report = dock.run(dock.facts(metrics=metrics(("minutes", "seconds", "sum"))))
    assert (report.verdicts["refused"], report.verdicts["submitted"]) == (4, 0)
    assert dock.ledger.parked("devices") == []
    assert {each.stage for each in dock.ledger.rejections("devices")} == {"read"}
