"""Other processes for the tests: started quickly, spoken to over a pipe, stopped by handle."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import polars as pl
from sqlalchemy import event

from planhat_pipelines.ledger import Budget, Ledger, LedgerError, NewParked, NewRejection, SyncBusy
from planhat_pipelines_tests.ledger.help import intend, points

PATIENCE = 20  # seconds, the most any test waits for another process

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


class Worker:
    """A process that runs `task(connection, *arguments)`."""

    def __init__(self, task: Callable[..., None], *arguments: Any) -> None:
        self._here, there = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=task, args=(there, *arguments), daemon=True)
        self.process.start()
        there.close()

    def hear(self) -> Any:
        if not self._here.poll(PATIENCE):
            raise TimeoutError("the other process says nothing")
        return self._here.recv()

    def say(self, word: str) -> None:
        self._here.send(word)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.join(PATIENCE)
        self._here.close()


@contextmanager
def workers(number: int, task: Callable[..., None], *arguments: Any) -> Iterator[list[Worker]]:
    started = [Worker(task, *arguments) for _ in range(number)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


STEPS = (
    "claimed",
    "begun",
    "first intended",
    "first settled",
    "rows rejected",
    "rows parked",
    "second intended",
    "second superseded",
    "rest dropped",
    "third intended",
    "third held",
    "committed",
    "finished",
)


def delivery(ledger: Ledger, run: str) -> Iterator[str]:
    """A delivery that makes every kind of step, one transaction each, and stops after each for the caller."""
    steps = iter(STEPS)
    with ledger.claim("seats", run, lease=600) as claim:
        yield next(steps)
        window = claim.begin({"to": 7}, 0)
        yield next(steps)
        first = intend(claim, window, "first", "a", "b", "c", points=points(1, 2, 3))
        yield next(steps)
        refused = [NewRejection("c", "planhat", "not in the list")]
        claim.settle(first.id, {"created": 2, "refused": 1}, rejections=refused, points=points(1, 2))
        yield next(steps)
        claim.reject([NewRejection("x", "map", "not a number"), NewRejection("c", "map", "empty")])
        yield next(steps)
        claim.park([NewParked("y", "company", "externalId", "c9")])
        yield next(steps)
        second = intend(claim, window, "second", "d", "e", points=points(4, 5))
        yield next(steps)
        rest: dict[str, Any] = {"window": window.id, "body_hash": "rest", "purpose": "metrics", "items": 1}
        rest |= {"dimensions": ["seats"], "first_day": 11, "last_day": 11, "rows": ["e"], "points": points(5)}
        batch = claim.supersede(second.id, {"submitted": 1}, points(4), **rest)
        yield next(steps)
        claim.drop(batch.id)
        yield next(steps)
        third = intend(claim, window, "third", "f", points=points(6))
        yield next(steps)
        claim.hold(third.id, "nobody knows")
        yield next(steps)
        claim.commit(window, {"at": 7})
        yield next(steps)
        claim.finish("done", {"created": 2})
        yield next(steps)


TWO_WAY_STEPS = (
    "claimed",
    "agreed",
    "intended",
    "settled",
    "intended to write back",
    "summed up",
    "written back",
    "forgotten",
)


def both_ways(ledger: Ledger, run: str) -> Iterator[str]:
    """A two-way run in the same manner: every step that moves a base."""
    steps = iter(TWO_WAY_STEPS)

    def bases(**known: list[int | None]) -> pl.DataFrame:
        columns = {"key": list(known)} | {
            field: pl.Series([values[place] for values in known.values()], dtype=pl.UInt64)
            for place, field in enumerate(("name", "custom.ARR"))
        }
        return pl.DataFrame(columns)

    with ledger.claim("accounts", run, lease=600) as claim:
        yield next(steps)
        claim.agree(bases(a=[1, 1], b=[1, 1]))
        yield next(steps)
        sent = intend(claim, None, "sent", bases=bases(a=[2, None], c=[2, 2]))
        yield next(steps)
        claim.settle(sent.id, {"updated": 2})
        yield next(steps)
        back = intend(claim, None, "back", bases=bases(b=[None, 3]))
        yield next(steps)
        claim.remember_bases(ledger.bases("accounts", ["name", "custom.ARR"]))
        yield next(steps)
        claim.settle(back.id, {"updated": 1})
        yield next(steps)
        claim.forget_bases(["a"])
        yield next(steps)


def deliver(pipe: Connection, url: str) -> None:
    """The delivery, a step at each word; at the word `stall` it stops short of the commit of the next step."""
    _go_through(pipe, url, delivery)


def deliver_both_ways(pipe: Connection, url: str) -> None:
    """The two-way run in the same manner."""
    _go_through(pipe, url, both_ways)


def _go_through(pipe: Connection, url: str, run: Callable[[Ledger, str], Iterator[str]]) -> None:
    with Ledger.open(url) as ledger:

        def stall(_connection: object) -> None:
            pipe.send("about to commit")
            pipe.recv()

        pipe.send("ready")
        steps = run(ledger, "killed")
        while True:
            if pipe.recv() == "stall":
                event.listen(ledger.database.engine, "commit", stall)
            pipe.send(next(steps))


def wake_up_late(pipe: Connection, url: str) -> None:
    """Intends a batch under a short lease, and settles it when told to."""
    with Ledger.open(url) as ledger, ledger.claim("seats", "late", lease=0.8) as claim:
        batch = intend(claim, None, "body", "a")
        pipe.send("intended")
        pipe.recv()
        try:
            claim.settle(batch.id, {"created": 1})
        except LedgerError as error:
            pipe.send(type(error).__name__)
        else:
            pipe.send("settled")


def open_at_once(pipe: Connection, url: str, start: Barrier) -> None:
    start.wait(PATIENCE)
    try:
        with Ledger.open(url) as ledger:
            pipe.send(ledger.cursor("seats").version)
    except LedgerError as error:
        pipe.send(str(error))


def claim_at_once(pipe: Connection, url: str, start: Barrier, end: Barrier) -> None:
    with Ledger.open(url) as ledger:
        start.wait(PATIENCE)
        try:
            with ledger.claim("seats", "run"):
                end.wait(PATIENCE)
            pipe.send("claimed")
        except SyncBusy:
            end.wait(PATIENCE)
            pipe.send("SyncBusy")


def commit_at_once(pipe: Connection, url: str, name: str, start: Barrier) -> None:
    """Reads the cursor, then delivers one window from it, waiting for its claim."""
    with Ledger.open(url) as ledger:
        version = ledger.cursor("seats").version
        start.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with ledger.claim("seats", name) as claim:
                    claim.commit(claim.begin({"by": name}, version), {"by": name})
                    claim.finish("done", {})
            except SyncBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            except LedgerError as error:
                pipe.send((name, type(error).__name__))
                return
            else:
                pipe.send((name, "committed"))
                return


def hammer(
    pipe: Connection, url: str, start: Barrier, seconds: float, duration: float, limits: dict[str, float]
) -> None:
    """Calls as fast as the budget lets it, and tells when each call began and ended."""
    with Ledger.open(url) as ledger:
        budget = Budget(ledger, "tenant", **limits)
        calls: list[tuple[float, float]] = []
        start.wait(PATIENCE)
        end = time.time() + seconds
        while time.time() < end:
            with budget.call():
                began = time.time()
                time.sleep(duration)
                calls.append((began, time.time()))
        pipe.send(calls)


def call_for_ever(pipe: Connection, url: str, limits: dict[str, float]) -> None:
    with Ledger.open(url) as ledger, Budget(ledger, "tenant", **limits).call():
        pipe.send("calling")
        pipe.recv()
