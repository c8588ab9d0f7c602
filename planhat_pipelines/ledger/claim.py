"""The exclusive right to deliver one sync, and every write that may be made under it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Unpack
from uuid import uuid4

import sqlalchemy as sa

from planhat_pipelines.ledger import batches, rows, schema
from planhat_pipelines.ledger.blobs import Keys, Points
from planhat_pipelines.ledger.database import Database, clock, upsert
from planhat_pipelines.ledger.errors import (
    ClaimLost,
    LedgerError,
    LedgerUnavailable,
    OpenBatches,
    StaleCursor,
    SyncBusy,
    WindowClosed,
    WindowOpen,
)
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import Batch, Cursor, Intent, NewParked, NewRejection, Window
from planhat_pipelines.ledger.process import is_gone, this_process

_claims, _cursors, _windows, _runs = schema.claims, schema.cursors, schema.windows, schema.runs


@contextmanager
def claimed(database: Database, sync: str, run: str, lease: float) -> Generator[Claim]:
    """Take the claim, keep it alive from a thread of its own, give it back at the end."""
    claim = Claim(database, sync, run, lease)
    stop = threading.Event()
    heart = threading.Thread(target=claim.keep, args=(stop,), name=f"claim of {sync}", daemon=True)
    heart.start()
    try:
        yield claim
    except BaseException as error:
        claim.leave(f"ended with {type(error).__name__}")
        raise
    else:
        claim.leave("ended without a result")
    finally:
        stop.set()
        heart.join()


class Claim:
    """Every write checks, in its own transaction, that this claim still holds, and raises `ClaimLost` when it
    does not: a run that was taken over can change nothing. Threads of a run may share it."""

    def __init__(self, database: Database, sync: str, run: str, lease: float) -> None:
        self.sync, self.run, self.lease = sync, run, lease
        self._database = database
        self._owner = uuid4().hex
        self._finished = False
        with database.write() as connection:
            upsert(connection, _claims, [{"sync": sync, "epoch": 0}])
            row = connection.execute(
                sa.select(_claims, clock(connection).label("now"))
                .where(_claims.c.sync == sync)
                .with_for_update()
            ).one()
            if row.owner is not None:
                if row.expires > row.now and not is_gone(row.process):
                    raise SyncBusy(sync, f"run {row.run!r} (process {row.process['pid']})", row.since)
                gone = _runs.update().where(_runs.c.sync == sync, _runs.c.state == "running")
                message = "the process ended without a word; the next run took over"
                connection.execute(gone.values(state="failed", ended_at=row.now, message=message))
            self.epoch: int = row.epoch + 1
            connection.execute(
                _claims.update()
                .where(_claims.c.sync == sync)
                .values(
                    epoch=self.epoch,
                    owner=self._owner,
                    run=run,
                    process=this_process(),
                    since=row.now,
                    expires=row.now + lease,
                )
            )
            record: dict[str, Any] = {"id": run, "sync": sync, "state": "running", "started_at": row.now}
            record |= {"ended_at": None, "counts": {}, "message": ""}
            upsert(connection, _runs, [record], take=list(record))

    # -- windows and the cursor

    def begin(self, bounds: Mapping[str, Any], cursor_version: int) -> Window:
        """Open the window that the cursor's next move will close. Raises `StaleCursor` when the cursor is not
        at `cursor_version` any more, `WindowOpen` when the last window was not closed."""
        with self._fenced() as write:
            found = self._cursor_version(write)
            if found != cursor_version:
                raise StaleCursor(self.sync, cursor_version, found)
            is_open = sa.and_(_windows.c.sync == self.sync, _windows.c.closed_at.is_(None))
            if (
                other := write.connection.execute(sa.select(_windows.c.id).where(is_open)).scalar()
            ) is not None:
                raise WindowOpen(self.sync, other)
            values = {
                "sync": self.sync,
                "bounds": dict(bounds),
                "cursor_version": cursor_version,
                "run": self.run,
            }
            identity = write.connection.execute(
                _windows.insert().values(**values, opened_at=write.now).returning(_windows.c.id)
            ).scalar_one()
        return Window(identity, self.sync, dict(bounds), cursor_version, self.run)

    def commit(self, window: Window, cursor: Mapping[str, Any]) -> Cursor:
        """Close the window and move the cursor, in one step. Raises `OpenBatches` while a batch of the window
        is still intended, `StaleCursor` when the cursor moved meanwhile."""
        with self._fenced() as write:
            self._close(write, window.id, "committed")
            found = self._cursor_version(write)
            if found != window.cursor_version:
                raise StaleCursor(self.sync, window.cursor_version, found)
            moved = {"sync": self.sync, "value": dict(cursor), "version": found + 1}
            moved |= {"moved_at": write.now, "run": self.run}
            upsert(write.connection, _cursors, [moved], take=list(moved))
        return Cursor(self.sync, dict(cursor), found + 1, schema.moment(write.now), self.run)

    def abandon(self, window: Window) -> None:
        """Close a window that can't be read any more, and leave the cursor where it is. Raises `OpenBatches`
        like `commit`: what may have been sent is settled first."""
        with self._fenced() as write:
            self._close(write, window.id, "abandoned")

    # -- batches

    def intend(self, **intent: Unpack[Intent]) -> Batch:
        """Write a batch down before it is sent. Its id follows from sync, window, body and how many equal
        bodies the window already has; `first_day` and `last_day` (days since 1970) are needed with
        `dimensions`."""
        with self._fenced() as write:
            return batches.intend(write, **intent)

    def settle(
        self,
        batch: str,
        counts: Mapping[str, int],
        *,
        rejections: Iterable[NewRejection] = (),
        unpark: Keys = (),
        points: Points | None = None,
    ) -> None:
        """Write down a batch's receipt with all that follows from it: the rows Planhat refused, the parked
        rows it answers, and `points` when other points than the intended ones turned out to be there. What
        earlier runs rejected of the batch's rows is closed by it."""
        with self._fenced() as write:
            self._settle(write, batch, counts, points)
            rows.reject(write, rejections)
            rows.unpark(write, unpark)

    def hold(self, batch: str, reason: str) -> None:
        """Keep a batch of which nobody can tell whether it arrived; it is never sent again by itself."""
        with self._fenced() as write:
            batches.hold(write, batch, reason)

    def supersede(
        self, old: str, counts: Mapping[str, int], found: Points | None, **intent: Unpack[Intent]
    ) -> Batch:
        """Settle `old` with what was found of it (its receipt, and the points that are there), and intend the
        rest, in one step."""
        with self._fenced() as write:
            self._settle(write, old, counts, found)
            return batches.intend(write, **intent)

    def drop(self, batch: str) -> None:
        """Forget an intended batch that certainly did not reach Planhat."""
        with self._fenced() as write:
            batches.drop(write, batch)

    # -- rows

    def reject(self, rejections: Iterable[NewRejection]) -> None:
        """Write down rows that did not go; a repeat keeps the first date and counts one up."""
        with self._fenced() as write:
            rows.reject(write, rejections)

    def resolve(self, keys: Keys) -> None:
        """Close the rejections of rows that were answered otherwise than by a batch."""
        with self._fenced() as write:
            rows.resolve(write, keys)

    def park(self, parked: Iterable[NewParked]) -> None:
        """Park rows until their target exists; a repeat keeps the first date."""
        with self._fenced() as write:
            rows.park(write, parked)

    def tried(self, keys: Keys) -> None:
        """Count a look-up of parked rows that found no target."""
        with self._fenced() as write:
            rows.tried(write, keys)

    def unpark(self, keys: Keys) -> None:
        """Forget parked rows that no batch answers."""
        with self._fenced() as write:
            rows.unpark(write, keys)

    # -- the run

    def finish(self, state: Literal["done", "failed"], counts: Mapping[str, int], message: str = "") -> None:
        """Close the run's record."""
        with self._fenced() as write:
            write.connection.execute(
                _runs.update()
                .where(_runs.c.id == self.run, _runs.c.sync == self.sync)
                .values(state=state, ended_at=write.now, counts=dict(counts), message=message)
            )
        self._finished = True

    def leave(self, unfinished: str) -> None:
        """Give the claim back; `unfinished` is the message of a run that was not closed. Never raises: a
        claim that can't be given back runs out by itself."""
        try:
            if not self._finished:
                self.finish("failed", {}, unfinished)
            with self._fenced() as write:
                write.connection.execute(
                    _claims.update()
                    .where(_claims.c.sync == self.sync)
                    .values(owner=None, run=None, process=None, since=None, expires=None)
                )
        except LedgerError:
            pass

    def keep(self, stop: threading.Event) -> None:
        """Renew the lease until told to stop, or until the claim is lost, which the next write will find
        out."""
        while not stop.wait(self.lease / 4):
            try:
                with self._fenced() as write:
                    write.connection.execute(
                        _claims.update()
                        .where(_claims.c.sync == self.sync)
                        .values(expires=write.now + self.lease)
                    )
            except ClaimLost:
                return
            except LedgerUnavailable:
                continue  # the next beat may get through; the lease outlasts three

    @contextmanager
    def _fenced(self) -> Generator[Fenced]:
        with self._database.write() as connection:
            mine = (
                _claims.c.sync == self.sync,
                _claims.c.owner == self._owner,
                _claims.c.epoch == self.epoch,
            )
            now = connection.execute(sa.select(clock(connection)).where(*mine).with_for_update()).scalar()
            if now is None:
                raise ClaimLost(self.sync)
            yield Fenced(connection, self.sync, self.run, self.epoch, now)

    def _settle(self, write: Fenced, batch: str, counts: Mapping[str, int], points: Points | None) -> None:
        row_blob = batches.settle(write, batch, counts, points)
        rows.resolve_answered(write, row_blob)

    def _cursor_version(self, write: Fenced) -> int:
        version = sa.select(_cursors.c.version).where(_cursors.c.sync == self.sync)
        return write.connection.execute(version).scalar() or 0

    def _close(self, write: Fenced, window: int, outcome: str) -> None:
        closed = write.connection.execute(
            _windows.update()
            .where(_windows.c.id == window, _windows.c.sync == self.sync, _windows.c.closed_at.is_(None))
            .values(closed_at=write.now, outcome=outcome)
        )
        if closed.rowcount == 0:
            raise WindowClosed(self.sync, window)
        table = schema.batches
        intended = write.connection.execute(
            sa.select(sa.func.count()).where(
                table.c.sync == self.sync, table.c.window == window, table.c.state == "intended"
            )
        ).scalar_one()
        if intended:
            raise OpenBatches(self.sync, window, intended)
