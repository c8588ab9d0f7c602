"""A run is killed with SIGKILL at every step of the ledger; the next one loses nothing and doubles nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from planhat_pipelines.engine.report import Report
from planhat_pipelines.ledger import SyncBusy
from planhat_pipelines.spec.usage import UsageSpec
from planhat_pipelines_tests.e2e.place import Place, oracle
from planhat_pipelines_tests.mortals import Mortals

# Five rows go, in requests of two; one is refused, one must wait. Rows 2 and 3 are the same point, legitimately.
GOOD = [
    (1, "c-1", "2026-01-01", 5),
    (2, "c-2", "2026-01-01", 7),
    (3, "c-2", "2026-01-01", 7),
    (4, "c-1", "2026-01-02", 6.5),
    (5, "c-1", "2026-01-03", 0),
]
ROWS = [*GOOD, (6, "c-1", None, 1), (7, "later", "2026-01-01", 3)]
BATCHES = 3

# Before sending is after intending, before settling is after sending, and before intending the next batch is after
# settling the last: nothing is written down in between.
BATCH_STEPS = [("intend", "after"), ("send", "after"), ("settle", "after")]
STEPS = [("intend", "before", 1), *((*step, nth) for nth in (1, BATCHES) for step in BATCH_STEPS)]
STEPS += [("begin", "after", 1), ("reject", "after", 1), ("park", "after", 1), ("commit", "after", 1)]


def settled(place: Place, spec: UsageSpec, first: Report | None = None) -> Report:
    """The run after the kill, and what must hold whatever happened."""
    report = first or place.run(spec)
    assert place.cursor()["key"] == "7"
    assert place.ledger.open_window("seats") is None
    assert place.ledger.batches("seats", "intended") == []
    assert [row.row for row in place.ledger.rejections("seats")] == ["6"]
    assert [row.row for row in place.ledger.parked("seats")] == ["7"]
    assert not place.source(spec).changed(place.cursor())
    assert place.run(spec).requests == 0
    assert place.nothing_was_dropped()
    return report


@pytest.mark.matrix
@pytest.mark.parametrize(("step", "when", "nth"), STEPS)
def test_metrics_killed_at_any_step_arrive_exactly_once(
    place: Place, mortals: Mortals, step: str, when: str, nth: int
) -> None:
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    assert mortals.run(place.environment, place.facts(), step=step, when=when, nth=nth) == "killed"
    report = settled(place, place.spec())
    assert place.points() == oracle(GOOD)
    if (step, when) != ("commit", "after"):
        assert report.rows_read + report.recovered >= len(ROWS)


@pytest.mark.parametrize(
    ("on_doubt", "step", "when", "nth"),
    [
        *((on_doubt, step, "after", 2) for on_doubt in ("hold", "resend") for step in ("intend", "send")),
        *[("hold", "settle", "after", 2), ("resend", "commit", "after", 1)],
    ],
)
def test_activities_killed_at_any_step_are_held_or_sent_again_as_the_spec_says(
    place: Place, mortals: Mortals, on_doubt: str, step: str, when: str, nth: int
) -> None:
    endusers(place, "u-1", "u-2")
    place.seats([(key, account.replace("c", "u"), when, seats) for key, account, when, seats in ROWS])
    facts = place.activity_facts(on_doubt=on_doubt)
    assert mortals.run(place.environment, facts, step=step, when=when, nth=nth) == "killed"
    spec = UsageSpec.model_validate(facts)
    report = settled(place, spec)
    wanted, found = activities(GOOD), place.activities()
    middle = activities(GOOD[2:4])
    in_doubt, stored = step in ("intend", "send"), step == "send"
    if not in_doubt:
        assert found == wanted
        assert report.verdicts["held"] == 0
    elif on_doubt == "hold":
        assert report.verdicts["held"] == len(place.ledger.batches("seats", "held")[0].rows) == 2
        assert found == (wanted if stored else wanted - middle)
    else:
        assert found == (wanted + middle if stored else wanted)


def test_points_stored_by_a_request_that_was_never_answered_are_not_sent_again(
    place: Place, mortals: Mortals
) -> None:
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    place.fault("timeout_after", seconds=1.5, skip=1, count=1)
    pid = mortals.start(place.environment, place.facts())
    place.wait_for("points/digest", lambda digest: digest["count"] == 4)
    os.kill(pid, signal.SIGKILL)
    assert mortals.end() == "killed"
    settled(place, place.spec())
    assert place.points() == oracle(GOOD)


@pytest.mark.parametrize(
    ("step", "when"),
    [("supersede", "before"), ("supersede", "after"), ("send", "after"), ("settle", "before")],
)
def test_a_run_killed_while_settling_the_doubt_of_a_killed_run_leaves_everything_once(
    place: Place, mortals: Mortals, step: str, when: str
) -> None:
    """The first dies before its second request goes out: nothing of that arrived, all of it is missing."""
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    assert mortals.run(place.environment, place.facts(), step="send", nth=2) == "killed"
    assert mortals.run(place.environment, place.facts(), step=step, when=when) == "killed"
    settled(place, place.spec())
    assert place.points() == oracle(GOOD)


def test_a_row_parked_before_the_crash_and_sent_in_doubt_after_it_goes_once(
    place: Place, mortals: Mortals
) -> None:
    """The second run finds the company, sends the row as part of the resumed window and dies before the answer is
    written down; the row must not go again as a parked one."""
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    assert mortals.run(place.environment, place.facts(), step="intend", when="before", nth=1) == "killed"
    place.companies("later")
    assert mortals.run(place.environment, place.facts(), step="send", when="after", nth=3) == "killed"
    place.run()
    assert place.points() == oracle([*GOOD, ROWS[-1]])
    assert place.ledger.parked("seats") == []


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("step", "when", "nth"),
    [
        *[("tried", "after", 1), ("intend", "before", 1)],
        *((*step, nth) for nth in (1, 2) for step in BATCH_STEPS),
        ("unpark", "before", 1),
    ],
)
def test_a_run_killed_while_it_retries_parked_rows_sends_each_once(
    place: Place, mortals: Mortals, step: str, when: str, nth: int
) -> None:
    place.companies("c-1")
    waiting = [(key, "later", f"2026-02-0{key}", key) for key in range(1, 5)]
    place.seats([*waiting, (5, "later", None, 5), (6, "never", "2026-01-01", 1)])
    assert place.run().verdicts == Counter(parked=5, refused=1)
    place.companies("later")
    place.sql("UPDATE {table} SET SEATS = NULL WHERE ROW_ID = 4")  # refused, now that it is read again
    killed = mortals.run(place.environment, place.facts(), step=step, when=when, nth=nth)
    assert killed == "killed"
    place.run()
    assert place.points() == oracle(waiting[:3])
    assert [row.row for row in place.ledger.parked("seats")] == ["6"]
    assert sorted(row.row for row in place.ledger.rejections("seats")) == ["4", "5"]


def test_a_row_deleted_between_crash_and_restart_is_shown_when_nobody_can_tell_whether_it_went(
    place: Place, mortals: Mortals
) -> None:
    place.companies("c-1", "c-2")
    place.seats(GOOD)
    assert mortals.run(place.environment, place.facts(), step="send", nth=2) == "killed"
    place.sql("DELETE FROM {table} WHERE ROW_ID = 4")
    report = place.run()
    assert report.verdicts["refused"] == 1
    assert "changed or deleted" in place.ledger.rejections("seats")[0].reason
    assert place.points() == oracle(GOOD[:3] + GOOD[4:])


def test_a_row_deleted_after_it_arrived_is_known_to_have_arrived(place: Place, mortals: Mortals) -> None:
    place.companies("c-1", "c-2")
    place.seats(GOOD)
    assert mortals.run(place.environment, place.facts(), step="send", when="after", nth=2) == "killed"
    place.sql("DELETE FROM {table} WHERE ROW_ID IN (3, 4)")
    assert place.run().verdicts["refused"] == 0
    assert place.points() == oracle(GOOD)


def test_a_row_changed_between_crash_and_restart_is_shown_and_not_lost_in_silence(
    place: Place, mortals: Mortals
) -> None:
    place.companies("c-1", "c-2")
    place.seats(GOOD)
    assert mortals.run(place.environment, place.facts(), step="send", nth=2) == "killed"
    place.sql("UPDATE {table} SET SEATS = 99 WHERE ROW_ID = 4")
    report = place.run()
    assert report.verdicts["refused"] == 1
    assert [row.row for row in place.ledger.rejections("seats")] == ["4"]
    assert place.points() == oracle(GOOD[:3] + GOOD[4:])


@pytest.mark.parametrize("when", ["before", "after"])
def test_equal_points_of_different_rows_are_told_apart_by_their_number(
    place: Place, mortals: Mortals, when: str
) -> None:
    """Two rows of one value in the batch before, two in the doubtful one and one after it."""
    place.companies("c-1")
    rows = [(key, "c-1", "2026-01-01", 5) for key in range(1, 6)]
    place.seats(rows)
    assert mortals.run(place.environment, place.facts(), step="send", when=when, nth=2) == "killed"
    place.run()
    assert place.points() == oracle(rows)
    assert sum(place.points().values()) == 5


def test_equal_points_of_another_sync_do_not_stand_for_missing_ones(place: Place, mortals: Mortals) -> None:
    place.companies("c-1")
    rows = [(1, "c-1", "2026-01-01", 5), (2, "c-1", "2026-01-02", 5)]
    place.seats(rows)
    place.run(place.spec(name="other"))
    assert mortals.run(place.environment, place.facts(), step="send", nth=1) == "killed"
    place.run()
    assert place.points() == oracle(rows + rows)


def test_a_second_run_of_a_living_sync_changes_nothing(place: Place, mortals: Mortals) -> None:
    place.companies("c-1", "c-2")
    place.seats(ROWS)
    place.fault("slow", seconds=1.5, count=1)
    mortals.start(place.environment, place.facts())
    place.wait_for("faults", lambda faults: faults["rules"][0]["fired"])
    before = picture(place)
    with pytest.raises(SyncBusy):
        place.run()
    assert picture(place) == before
    assert mortals.end() == "done"
    settled(place, place.spec())
    assert place.points() == oracle(GOOD)


def picture(place: Place) -> Any:
    batches = [(batch.id, batch.state) for batch in place.ledger.batches("seats")]
    return place.cursor(), place.ledger.open_window("seats"), batches, place.ledger.parked(), place.points()


def endusers(place: Place, *externals: str) -> str:
    """Some of one company; gives its `_id`."""
    (company,) = place.companies("c-1")
    people = (
        {"externalId": each, "companyId": company, "email": f"{each}@example.com"} for each in externals
    )
    place.put("endusers", *people)
    return company


def activities(rows: list[tuple[Any, ...]]) -> Counter[tuple[str, str]]:
    def written(seats: float) -> str:
        return str(int(seats) if seats == int(seats) else seats)

    return Counter((account.replace("c", "u"), written(seats)) for _, account, _, seats in rows)
