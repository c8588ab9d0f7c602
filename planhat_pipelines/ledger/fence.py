"""The exclusive right to one sync, and the transactions that check it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from planhat_pipelines.ledger.database import Database, now, upsert
from planhat_pipelines.ledger.errors import ClaimLost, LedgerUnavailable, SyncBusy
from planhat_pipelines.ledger.process import is_gone, this_process
from planhat_pipelines.ledger.schema import claims

_mine = (
    sa.select(claims.c.sync)
    .where(
        claims.c.sync == sa.bindparam("sync"),
        claims.c.owner == sa.bindparam("owner"),
        claims.c.epoch == sa.bindparam("epoch"),
    )
    .with_for_update()
)


class Fenced(NamedTuple):
    """An open transaction of an owner that still is one; the claim's row is locked in it, so that nobody
    takes over before it ends."""

    connection: sa.Connection
    sync: str
    run: str
    epoch: int
    now: float


class Fence:
    """One row a sync says who owns it; every taking raises its epoch, which tells an owner of old apart."""

    def __init__(self, database: Database, sync: str, run: str, lease: float) -> None:
        """Take the sync. Raises `SyncBusy` while another owner's lease runs, unless its process is known to
        be gone; `took_over` tells whether there was one that never gave it back."""
        self.sync, self.run, self.lease = sync, run, lease
        self._database = database
        self._owner = uuid4().hex
        with database.write() as connection:
            upsert(connection, claims, [{"sync": sync, "epoch": 0}])
            this = claims.c.sync == sync
            last = connection.execute(sa.select(claims).where(this).with_for_update()).one()
            at = now(connection)
            self.took_over = last.owner is not None
            if self.took_over and last.expires > at and not is_gone(last.process):
                raise SyncBusy(sync, f"run {last.run!r} (process {last.process['pid']})", last.since)
            self.epoch: int = last.epoch + 1
            mine = {"epoch": self.epoch, "owner": self._owner, "run": run, "process": this_process()}
            connection.execute(claims.update().where(this).values(**mine, since=at, expires=at + lease))

    @contextmanager
    def write(self, *, lasting: bool = True) -> Generator[Fenced]:
        """A transaction that is kept whole or not at all; raises `ClaimLost` once another owner took over. `lasting`:
        see `Database.write`."""
        with self._database.write(lasting=lasting) as connection:
            owner = {"sync": self.sync, "owner": self._owner, "epoch": self.epoch}
            if connection.execute(_mine, owner).first() is None:
                raise ClaimLost(self.sync)
            yield Fenced(connection, self.sync, self.run, self.epoch, now(connection))

    def release(self, write: Fenced) -> None:
        """Give the sync back."""
        nobody = {"owner": None, "run": None, "process": None, "since": None, "expires": None}
        write.connection.execute(claims.update().where(claims.c.sync == self.sync).values(**nobody))

    def keep(self, stop: threading.Event) -> None:
        """Renew the lease until told to stop, or until it is lost, which the next write finds out."""
        while not stop.wait(self.lease / 4):
            try:
                with self.write() as write:
                    renewed = claims.update().where(claims.c.sync == self.sync)
                    write.connection.execute(renewed.values(expires=write.now + self.lease))
            except ClaimLost:
                return
            except LedgerUnavailable:
                continue  # the next beat may get through, the lease outlasts three
