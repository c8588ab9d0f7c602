"""The exclusive right to a sync: kept by the living, taken over from the dead, fenced against the late."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from planhat_pipelines.ledger import (
    Claim,
    ClaimLost,
    Ledger,
    NewConflict,
    NewParked,
    NewRejection,
    SyncBusy,
    schema,
)
from planhat_pipelines_tests.ledger.help import intend, picture
from planhat_pipelines_tests.ledger.worker import (
    CONTEXT,
    PATIENCE,
    STEPS,
    Worker,
    claim_at_once,
    commit_at_once,
    deliver,
    delivery,
    open_at_once,
    wake_up_late,
    workers,
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The picture before and after each step of a delivery that nobody kills."""
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'ledger.db'}") as ledger:
        return [
            picture(ledger, "seats"),
            *(picture(ledger, "seats") for _ in delivery(ledger, "undisturbed")),
        ]


def take_over(ledger: Ledger) -> float:
    """Claim the killed worker's sync; its lease would last ten minutes. Seconds it took."""
    began = time.monotonic()
    with ledger.claim("seats", "next") as claim:
        took = time.monotonic() - began
        claim.finish("done", {})
    return took


@pytest.mark.matrix
@pytest.mark.parametrize("steps", range(1, len(STEPS) + 1), ids=lambda steps: STEPS[steps - 1])
def test_a_run_killed_after_a_step_is_taken_over_at_once_with_all_it_wrote(
    ledger: Ledger, url: str, undisturbed: list[dict[str, Any]], steps: int
) -> None:
    with workers(1, deliver, url) as (worker,):
        assert worker.hear() == "ready"
        for step in STEPS[:steps]:
            worker.say("go on")
            assert worker.hear() == step
        with pytest.raises(SyncBusy, match=r"run 'killed' \(process \d+\)"), ledger.claim("seats", "early"):
            pass
        worker.kill()
        assert picture(ledger, "seats") == undisturbed[steps]
        assert take_over(ledger) < 2
        assert picture(ledger, "seats") == undisturbed[steps]
    (killed,) = [run for run in ledger.runs("seats") if run.id == "killed"]
    if STEPS[steps - 1] == "finished":
        assert killed.state == "done"
    else:
        assert (killed.state, killed.message[:32]) == ("failed", "the process ended without a word")


@pytest.mark.matrix
@pytest.mark.parametrize("steps", range(len(STEPS)), ids=lambda steps: STEPS[steps])
def test_a_run_killed_before_a_step_is_committed_has_not_made_the_step(
    ledger: Ledger, url: str, undisturbed: list[dict[str, Any]], steps: int
) -> None:
    with workers(1, deliver, url) as (worker,):
        assert worker.hear() == "ready"
        for step in STEPS[:steps]:
            worker.say("go on")
            assert worker.hear() == step
        worker.say("stall")
        assert worker.hear() == "about to commit"
        worker.kill()
        assert take_over(ledger) < 2
        assert picture(ledger, "seats") == undisturbed[steps]


DROP: dict[str, Any] = {
    "id": "d",
    "bucket": "b",
    "key": "in/d.csv",
    "etag": "e",
    "modified": 0.0,
    "size": 1,
    "version": None,
    "state": "claimed",
    "tries": 1,
    "sha256": None,
    "archive": None,
    "report": None,
}
BASES = pl.DataFrame({"key": ["b"], "name": [1]}, schema={"key": pl.String, "name": pl.UInt64})
WRITES: dict[str, Callable[[Claim, str, Any], object]] = {
    "begin": lambda claim, batch, window: claim.begin({}, 0),
    "commit": lambda claim, batch, window: claim.commit(window, {}),
    "abandon": lambda claim, batch, window: claim.abandon(window),
    "intend": lambda claim, batch, window: intend(claim, window, "more", "b"),
    "settle": lambda claim, batch, window: claim.settle(batch, {"created": 1}),
    "hold": lambda claim, batch, window: claim.hold(batch, "why"),
    "drop": lambda claim, batch, window: claim.drop(batch),
    "supersede": lambda claim, batch, window: claim.supersede(
        batch,
        {},
        None,
        window=None,
        body_hash="rest",
        purpose="records",
        items=0,
        rows=[],
        points=None,
        dimensions=(),
        first_day=None,
        last_day=None,
    ),
    "sum_up": lambda claim, batch, window: claim.sum_up(["b"]),
    "agree": lambda claim, batch, window: claim.agree(BASES),
    "remember_bases": lambda claim, batch, window: claim.remember_bases(BASES),
    "forget_bases": lambda claim, batch, window: claim.forget_bases(["b"]),
    "conflict": lambda claim, batch, window: claim.conflict(
        [NewConflict("a", "name", "snowflake", "new", "old", "on_conflict")]
    ),
    "write_drop": lambda claim, batch, window: claim.write_drop(DROP, None),
    "reject": lambda claim, batch, window: claim.reject([NewRejection("b", "map", "empty")]),
    "resolve": lambda claim, batch, window: claim.resolve(["r"]),
    "park": lambda claim, batch, window: claim.park([NewParked("b", "company", "externalId", "c")]),
    "tried": lambda claim, batch, window: claim.tried(["p"]),
    "unpark": lambda claim, batch, window: claim.unpark(["p"]),
    "finish": lambda claim, batch, window: claim.finish("done", {}),
    "leave": lambda claim, batch, window: claim.leave("late"),
}


def test_every_write_is_in_the_list_of_fenced_ones() -> None:
    assert {name for name in vars(Claim) if not name.startswith("_")} == set(WRITES)


def test_a_run_that_was_taken_over_can_write_nothing(ledger: Ledger) -> None:
    with ledger.claim("seats", "late", lease=600) as late:
        window = late.begin({}, 0)
        batch = intend(late, window, "body", "a")
        late.agree(BASES)
        late.reject([NewRejection("r", "map", "empty")])
        late.park([NewParked("p", "company", "externalId", "c")])
        with ledger.database.write() as connection:
            connection.execute(schema.claims.update().values(expires=0))
        with ledger.claim("seats", "next") as claim:
            before = picture(ledger, "seats")
            for name, write in WRITES.items():
                with pytest.raises(ClaimLost, match="sync 'seats' has been taken over"):
                    write(late, batch.id, window)
                assert picture(ledger, "seats") == before, name
            claim.settle(batch.id, {"created": 1})
            claim.finish("done", {})
    assert {run.id: run.state for run in ledger.runs()} == {"late": "failed", "next": "done"}


def test_a_raised_epoch_alone_fences_the_owner_out(ledger: Ledger) -> None:
    with ledger.claim("seats", "late") as late:
        with ledger.database.write() as connection:
            connection.execute(schema.claims.update().values(epoch=schema.claims.c.epoch + 1))
        with pytest.raises(ClaimLost):
            late.begin({}, 0)
    assert ledger.open_window("seats") is None


def test_a_process_that_slept_through_its_lease_wakes_up_fenced(ledger: Ledger, url: str) -> None:
    with workers(1, wake_up_late, url) as (worker,):
        assert worker.hear() == "intended"
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with ledger.claim("seats", "next") as claim:
                    (batch,) = ledger.batches("seats", "intended")
                    claim.hold(batch.id, "nobody knows")
                    os.kill(worker.process.pid or 0, signal.SIGCONT)
                    worker.say("wake up")
                    assert worker.hear() == "ClaimLost"
            except SyncBusy:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                break
    assert [batch.state for batch in ledger.batches("seats")] == ["held"]


def test_a_living_run_keeps_its_claim_beyond_the_first_lease(ledger: Ledger) -> None:
    with ledger.claim("seats", "long", lease=0.6) as claim:
        for _ in range(4):
            time.sleep(0.4)
            with pytest.raises(SyncBusy), ledger.claim("seats", "other"):
                pass
        claim.finish("done", {})


def test_a_claim_is_free_again_when_its_run_ends_however_it_ends(ledger: Ledger) -> None:
    for number in range(3):
        with pytest.raises(KeyboardInterrupt), ledger.claim("seats", f"run {number}"):
            raise KeyboardInterrupt
    with ledger.claim("seats", "run 3"), ledger.claim("logins", "run 3"):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("claim of")]
    with ledger.database.read() as connection:
        assert connection.execute(sa.select(schema.claims.c.owner)).scalars().all() == [None, None]


def test_threads_of_one_run_may_share_its_claim(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:

        def send(number: int) -> None:
            batch = intend(claim, None, "the same body", str(number))
            claim.settle(batch.id, {"created": 1})

        threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    batches = ledger.batches("seats", "settled")
    assert sorted(int(batch.rows[0]) for batch in batches) == list(range(40))
    assert len({batch.id for batch in batches}) == 40


def test_many_processes_may_create_the_ledger_at_once(url: str) -> None:
    with workers(6, open_at_once, url, CONTEXT.Barrier(6)) as started:
        assert [worker.hear() for worker in started] == [0] * 6


def test_of_two_processes_that_claim_a_sync_at_once_one_gets_it(ledger: Ledger, url: str) -> None:
    with workers(2, claim_at_once, url, CONTEXT.Barrier(2), CONTEXT.Barrier(2)) as started:
        assert sorted(worker.hear() for worker in started) == ["SyncBusy", "claimed"]


def test_of_two_processes_that_read_the_same_cursor_one_moves_it_and_the_other_changes_nothing(
    ledger: Ledger, url: str
) -> None:
    start = CONTEXT.Barrier(2)
    started = [Worker(commit_at_once, url, name, start) for name in ("a", "b")]
    try:
        outcomes = dict(worker.hear() for worker in started)
    finally:
        for worker in started:
            worker.kill()
    assert sorted(outcomes.values()) == ["StaleCursor", "committed"]
    winner = next(name for name, outcome in outcomes.items() if outcome == "committed")
    cursor = ledger.cursor("seats")
    assert (cursor.value, cursor.version, cursor.run) == ({"by": winner}, 1, winner)
    assert ledger.open_window("seats") is None
