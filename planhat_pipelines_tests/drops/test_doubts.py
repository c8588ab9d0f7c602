"""Points of drops that may have arrived are read back; only missing ones are sent, and rows are what is counted."""

from __future__ import annotations

import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv, day, ends, metrics
from planhat_pipelines_tests.mortals import Mortals

WHEN = "2026-11-01"
ROWS = [("c-1", WHEN, 1), ("c-1", WHEN, 2), ("c-2", WHEN, 4), ("c-9", WHEN, 8), ("c-9", WHEN, 16)]
HEAD = "customer,at,minutes"
TWO = metrics(("minutes", "minutes", "sum"), ("rows", "minutes", "count"))


def point(who: str, value: float, metric: str = "minutes") -> tuple[str, str, int, float]:
    return metric, who, day(WHEN), value


@pytest.mark.parametrize(("kind", "arrived"), [("timeout_after", True), ("timeout_before", False)])
def test_an_answer_that_never_came_is_cleared_up_in_the_same_run(
    dock: Dock, kind: str, arrived: bool
) -> None:
    dock.companies("c-1", "c-2")
    dock.drop("log.csv", csv(HEAD, ROWS))
    dock.fault(kind, method="POST", seconds=1, count=1)
    report = dock.run(dock.facts(metrics=TWO))
    assert dock.points() == {
        point("c-1", 3.0): 1,
        point("c-2", 4.0): 1,
        point("c-1", 2.0, "rows"): 1,
        point("c-2", 1.0, "rows"): 1,
    }
    assert ends(dock.trail()[0]) == {"submitted": 3, "parked": 2}
    assert report.requests == (1 if arrived else 2)
    dock.settled()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_while_it_sent_several_batches_sends_what_is_missing(
    dock: Dock, mortals: Mortals, when: str
) -> None:
    dock.companies("c-1", "c-2", "c-9")
    dock.drop("log.csv", csv(HEAD, ROWS))
    order = {"step": "send points", "when": when, "nth": 2, "items": 1}
    assert mortals.run(dock.environment, dock.facts(), **order) == "killed"
    report = dock.run()
    assert dock.points() == {point("c-1", 3.0): 1, point("c-2", 4.0): 1, point("c-9", 24.0): 1}
    assert (report.recovered, report.verdicts["submitted"]) == ((3, 2) if when == "after" else (3, 3))
    dock.settled()


def test_a_batch_of_which_a_part_arrived_is_filled_up(dock: Dock, mortals: Mortals) -> None:
    dock.companies("c-1", "c-2")
    dock.drop("log.csv", csv(HEAD, ROWS))
    assert mortals.run(dock.environment, dock.facts(), step="intend", items=10) == "killed"
    (batch,) = dock.ledger.batches("devices", "intended")
    assert batch.items == 2
    dock.append(point("c-2", 4.0))  # as if Planhat had kept half of it
    report = dock.run()
    assert dock.points() == {point("c-1", 3.0): 1, point("c-2", 4.0): 1}
    assert (report.verdicts["submitted"], report.recovered, report.verdicts["parked"]) == (2, 3, 2)
    dock.settled()


def test_a_company_deleted_between_kill_and_restart_is_shown_and_its_drop_comes_to_its_end(
    dock: Dock, mortals: Mortals
) -> None:
    _, second = dock.companies("c-1", "c-2")
    dock.drop("log.csv", csv(HEAD, ROWS))
    assert mortals.run(dock.environment, dock.facts(), step="intend", items=10) == "killed"
    dock.delete("companies", second)
    dock.run()
    assert dock.points() == {point("c-1", 3.0): 1}
    assert [each.row[13:] for each in dock.ledger.rejections("devices")] == [f"c-2:{day(WHEN)}"]
    dock.settled()
