"""Planhat fails in every way it can in the middle of a run; the store holds each point once all the same."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.planhat.errors import Doubt, Throttled
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines_tests.e2e.place import HASTE, Place, oracle
from planhat_pipelines_tests.e2e.test_kills import activities, endusers

ROWS = [(key, "c-1", f"2026-01-0{key}", key) for key in range(1, 7)]  # three requests
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": 0},
    {"kind": "status", "status": 503, "retry_after": 0},
    {"kind": "status", "status": 500},
    {"kind": "status_after", "status": 500},
    {"kind": "status_after", "status": 502},
    {"kind": "timeout_before", "seconds": 0.6},
    {"kind": "timeout_after", "seconds": 0.6},
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 502},
    {"kind": "truncated"},
]


@pytest.fixture
def ready(place: Place) -> Place:
    place.companies("c-1")
    place.seats(ROWS)
    return place


@pytest.mark.matrix
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
def test_a_point_is_stored_once_whatever_one_request_meets(ready: Place, fault: dict[str, Any]) -> None:
    ready.fault(skip=1, count=1, **fault)
    report = ready.run()
    assert ready.points() == oracle(ROWS)
    assert report.verdicts["submitted"] == report.rows_read == len(ROWS)
    assert ready.cursor()["key"] == "6"


def test_a_point_is_stored_once_when_every_request_is_stored_and_none_is_answered(ready: Place) -> None:
    ready.fault("reset_after", count=len(ROWS))
    ready.run()
    assert ready.points() == oracle(ROWS)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 429}, Throttled),
        ({"kind": "status", "status": 500}, Doubt),
        ({"kind": "reset_before"}, Doubt),
        ({"kind": "html", "status": 200}, Doubt),
    ],
    ids=["429", "500", "reset", "html"],
)
def test_a_run_against_a_host_that_stays_down_fails_and_the_next_completes(
    ready: Place, fault: dict[str, Any], error: type[Exception]
) -> None:
    ready.fault(skip=1, **fault)
    with pytest.raises(error):
        ready.run()
    assert ready.cursor() is None
    assert ready.points() == oracle(ROWS[:2])
    assert ready.ledger.runs("seats")[0].state == "failed"
    ready.calm()
    report = ready.run()
    assert ready.points() == oracle(ROWS)
    assert report.rows_read + report.recovered >= len(ROWS)
    assert ready.cursor()["key"] == "6"


def test_the_rest_of_a_doubtful_batch_is_not_lost_when_it_can_not_be_sent(ready: Place) -> None:
    """The answer is lost before anything is stored, and what is missing then meets a host that refuses calls."""
    ready.fault("reset_before", skip=1, count=1)
    ready.fault("status", status=429, skip=2)
    with pytest.raises(Throttled):
        ready.run()
    ready.calm()
    ready.run()
    assert ready.points() == oracle(ROWS)


@pytest.mark.parametrize("kind", ["timeout_after", "timeout_before"])
def test_points_that_show_late_are_waited_for(ready: Place, kind: str) -> None:
    ready.planhat.admin("PUT", "switches", {"metrics_delay_seconds": 0.5})
    ready.fault(kind, seconds=0.6, skip=1, count=1)
    ready.run(patience=0.7)
    assert ready.points() == oracle(ROWS)
    assert any("waiting" in line for line in ready.log)


def test_a_request_that_is_stored_long_after_its_client_gave_up_is_waited_for(ready: Place) -> None:
    """Patience counts from when the answer was given up, not from when the request was begun."""
    ready.fault("slow", seconds=0.8, skip=1, count=1)
    ready.run(patience=0.7, client=Patience(read=0.4, attempts=2, first_wait=0.01))
    assert ready.points() == oracle(ROWS)


@pytest.mark.parametrize(
    ("on_doubt", "fault"), [("hold", "reset_after"), ("hold", "reset_before"), ("resend", "reset_after")]
)
def test_activities_in_doubt_are_held_or_sent_again(place: Place, on_doubt: str, fault: str) -> None:
    endusers(place, "u-1")
    place.seats([(key, "u-1", when, seats) for key, _, when, seats in ROWS])
    place.fault(fault, activities=True, skip=1, count=1)
    report = place.run(place.activities_spec(on_doubt=on_doubt))
    wanted, middle = activities(users(ROWS)), activities(users(ROWS[2:4]))
    if on_doubt == "resend":
        assert place.activities() == wanted + middle
        assert report.verdicts["submitted"] == 6
    else:
        assert place.activities() == (wanted if fault == "reset_after" else wanted - middle)
        assert (report.verdicts["submitted"], report.verdicts["held"]) == (4, 2)
    assert place.run(place.activities_spec(on_doubt=on_doubt), client=HASTE).requests == 0


def users(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(key, "u-1", when, seats) for key, _, when, seats in rows]
