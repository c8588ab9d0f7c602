"""Every write that may be made under the exclusive right to deliver one sync."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, Unpack

from planhat_pipelines.ledger import bases as agreed
from planhat_pipelines.ledger import batches, conflicts, drops, records, rows, windows
from planhat_pipelines.ledger.blobs import Keys, Points
from planhat_pipelines.ledger.database import Database, upsert
from planhat_pipelines.ledger.errors import LedgerError
from planhat_pipelines.ledger.fence import Fence, Fenced
from planhat_pipelines.ledger.models import (
    Batch,
    Cursor,
    Intent,
    NewConflict,
    NewParked,
    NewRejection,
    Window,
)
from planhat_pipelines.ledger.schema import runs

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def claimed(database: Database, sync: str, run: str, lease: float) -> Generator[Claim]:
    """Take the claim, keep it alive from a thread of its own, give it back at the end."""
    fence = Fence(database, sync, run, lease)
    claim = Claim(fence)
    stop = threading.Event()
    heart = threading.Thread(target=fence.keep, args=(stop,), name=f"claim of {sync}", daemon=True)
    heart.start()
    end = "ended without a result"
    try:
        yield claim
    except BaseException as error:
        end = f"ended with {type(error).__name__}"
        raise
    finally:
        stop.set()
        heart.join()
        with suppress(LedgerError):  # a claim that can't be given back runs out by itself
            claim.leave(end)


class Claim:
    """Every write checks, in its own transaction, that this claim still holds, and raises `ClaimLost` when it
    does not: a run that was taken over can change nothing. Threads of a run may share it."""

    def __init__(self, fence: Fence) -> None:
        self.sync, self.run = fence.sync, fence.run
        self._fence = fence
        self._finished = False
        with fence.write() as write:
            if fence.took_over:
                self._end_runs(
                    write, "failed", {}, "the process ended without a word; the next run took over"
                )
            row: dict[str, Any] = {
                "id": self.run,
                "sync": self.sync,
                "state": "running",
                "started_at": write.now,
            }
            row |= {"ended_at": None, "counts": {}, "message": ""}
            upsert(write.connection, runs, [row], take=list(row))

    # -- windows and the cursor

    def begin(self, bounds: Mapping[str, Any], cursor_version: int) -> Window:
        """Open the window that the cursor's next move will close. Raises `StaleCursor` when the cursor is not
        at `cursor_version` any more, `WindowOpen` when the last window was not closed."""
        with self._fence.write() as write:
            return windows.begin(write, bounds, cursor_version)

    def commit(
        self, window: Window, cursor: Mapping[str, Any], *, drop: Mapping[str, Any] | None = None
    ) -> Cursor:
        """Close the window and move the cursor, in one step; with `drop`, a fetched drop is imported by it. Raises
        `OpenBatches` while a batch of the window is still intended, `StaleCursor` when the cursor moved meanwhile."""
        with self._fence.write() as write:
            windows.close(write, window.id, "committed")
            if drop is not None:
                drops.write(write, drop, "fetched")
            return windows.move(write, cursor, window.cursor_version)

    def abandon(self, window: Window) -> None:
        """Close a window that can't be read any more, and leave the cursor where it is. Raises `OpenBatches`
        like `commit`: what may have been sent is settled first."""
        with self._fence.write() as write:
            windows.close(write, window.id, "abandoned")

    # -- batches

    def intend(self, *, lasting: bool = True, **intent: Unpack[Intent]) -> Batch:
        """Write a batch down before it is sent. Its id follows from sync, window, body and how many equal
        bodies the window already has; `first_day` and `last_day` (days since 1970) are needed with
        `dimensions`. Not `lasting`: a power cut may undo it, for batches that do no harm when they are sent twice."""
        with self._fence.write(lasting=lasting) as write:
            return batches.intend(write, **intent)

    def settle(
        self,
        batch: str,
        counts: Mapping[str, int],
        *,
        rejections: Iterable[NewRejection] = (),
        unpark: Keys = (),
        points: Points | None = None,
        bases: pl.DataFrame | None = None,
        lasting: bool = True,
    ) -> None:
        """Write down a batch's receipt with all that follows from it: the rows Planhat refused, the parked
        rows it answers, and `points` or `bases` when others than the intended ones turned out to be there. It
        also closes what earlier claims rejected of the batch's rows. `lasting`: as for `intend`."""
        with self._fence.write(lasting=lasting) as write:
            rows.reject(write, rejections)
            rows.unpark(write, unpark)
            batches.settle(write, batch, counts, points, bases)
            rows.resolve_answered(write, batch)

    def hold(self, batch: str, reason: str) -> None:
        """Keep a batch of which nobody can tell whether it arrived; it is never sent again by itself."""
        with self._fence.write() as write:
            batches.hold(write, batch, reason)

    def supersede(
        self, old: str, counts: Mapping[str, int], found: Points | None, **rest: Unpack[Intent]
    ) -> Batch:
        """Settle `old` with what arrived of it (its receipt, and the points that were found), and intend the
        rest, in one step. The bases of `old` are forgotten, as nobody says which of them hold."""
        with self._fence.write() as write:
            agreed.drop(write, old)
            batches.settle(write, old, counts, found)
            rows.resolve_answered(write, old)
            return batches.intend(write, **rest)

    def drop(self, batch: str) -> None:
        """Forget an intended batch that certainly did not reach Planhat."""
        with self._fence.write() as write:
            batches.drop(write, batch)

    def sum_up(self, forget: Keys = ()) -> None:
        """Sum up what Planhat was told of all records, where many batches were settled since the last time; and forget
        what it was told of some."""
        with self._fence.write() as write:
            records.sum_up(write, forget)

    # -- both sides of a two-way sync

    def agree(self, bases: pl.DataFrame) -> None:
        """Both sides hold the same here, and nothing had to be sent: bases of any number of records, as
        `Intent` takes them."""
        with self._fence.write() as write:
            agreed.agree(write, bases)

    def remember_bases(self, known: pl.DataFrame) -> None:
        """Sum up all bases, as `Ledger.bases` gives them for all fields of the sync; what is not in it is
        forgotten."""
        with self._fence.write() as write:
            agreed.remember(write, known)

    def forget_bases(self, keys: Keys) -> None:
        """Forget the bases of records that are gone."""
        with self._fence.write() as write:
            agreed.forget(write, keys)

    def conflict(self, found: Iterable[NewConflict]) -> None:
        """Keep the values of fields that both sides changed, before the loser is overwritten; the same again is
        one conflict."""
        with self._fence.write() as write:
            conflicts.write(write, found)

    # -- drops

    def write_drop(self, drop: Mapping[str, Any], was: str | None) -> None:
        """Write a drop down (the columns of the table), if it is still in state `was`. Raises `DropState`."""
        with self._fence.write() as write:
            drops.write(write, drop, was)

    # -- rows

    def reject(self, rejections: Iterable[NewRejection]) -> None:
        """Write down rows that did not go; a repeat keeps the first date and counts one up."""
        with self._fence.write() as write:
            rows.reject(write, rejections)

    def resolve(self, keys: Keys) -> None:
        """Close the rejections of rows that were answered otherwise than by a batch."""
        with self._fence.write() as write:
            rows.resolve(write, keys)

    def park(self, parked: Iterable[NewParked]) -> None:
        """Park rows until their target exists; a repeat keeps the first date."""
        with self._fence.write() as write:
            rows.park(write, parked)

    def tried(self, keys: Keys) -> None:
        """Count a look-up of parked rows that found no target."""
        with self._fence.write() as write:
            rows.tried(write, keys)

    def unpark(self, keys: Keys) -> None:
        """Forget parked rows that no batch answers."""
        with self._fence.write() as write:
            rows.unpark(write, keys)

    # -- the run

    def finish(self, state: Literal["done", "failed"], counts: Mapping[str, int], message: str = "") -> None:
        """Close the run's record."""
        with self._fence.write() as write:
            self._end_runs(write, state, counts, message)
        self._finished = True

    def leave(self, end: str) -> None:
        """Give the claim back; `end` is the message of a run whose record was not closed."""
        with self._fence.write() as write:
            if not self._finished:
                self._end_runs(write, "failed", {}, end)
            self._fence.release(write)

    def _end_runs(self, write: Fenced, state: str, counts: Mapping[str, int], message: str) -> None:
        """Of a sync only one run can be under way; a record that still says so after a kill is closed too."""
        running = runs.update().where(runs.c.sync == self.sync, runs.c.state == "running")
        write.connection.execute(
            running.values(state=state, ended_at=write.now, counts=dict(counts), message=message)
        )
