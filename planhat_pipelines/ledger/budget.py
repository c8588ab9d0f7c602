"""The call budget of a tenant, shared by every process that shares the ledger's database."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.database import now, upsert
from planhat_pipelines.ledger.errors import LedgerUnavailable
from planhat_pipelines.ledger.ledger import Ledger
from planhat_pipelines.ledger.process import is_gone, this_process

_LOOK_AGAIN = 0.1
"""Seconds between looks for a slot that another process frees; one of this process is seen at once."""

_budgets, _slots = schema.budgets, schema.slots

# Built once, as they run at every call and building costs several times what running does.
_of_tenant = _slots.c.tenant == sa.bindparam("of")
_get_backlog = sa.select(_budgets).where(_budgets.c.tenant == sa.bindparam("of")).with_for_update()
_set_backlog = _budgets.update().where(_budgets.c.tenant == sa.bindparam("of"))
_get_line = sa.select(_slots).where(_of_tenant).order_by(_slots.c.place)
_drop_expired = _slots.delete().where(_of_tenant, _slots.c.expires < sa.bindparam("at"))
_enter = _slots.insert()
_stay = _slots.update().where(_slots.c.id == sa.bindparam("slot"))
_leave = _slots.delete().where(_slots.c.id == sa.bindparam("slot"))


class Budget:
    """Planhat takes 200 calls a minute and 50 at once from a tenant (Planhat developers, authentication and
    limits).

    The first is a leaky bucket (GCRA) in one row: in any t seconds at most `burst + rate * t` calls begin, so
    `burst + 60 * rate` must stay within the limit. The bucket holds a backlog, in seconds of work at `rate`,
    not a date: a clock that is set back can't stop the calls. The second is a slot for each call under way,
    leased for `lease` seconds, which must be longer than any one call lasts; the slot of a killed process is
    free again after that, or at once when the process was of this machine."""

    def __init__(
        self,
        ledger: Ledger,
        tenant: str,
        *,
        rate: float,
        burst: int,
        parallel: int = 50,
        lease: float = 300.0,
    ) -> None:
        self.tenant, self.parallel, self.lease = tenant, parallel, lease
        self.rate, self.burst = rate, burst
        self._interval = 1 / rate
        self._tolerance = (burst - 1) * self._interval
        self._database = ledger.database
        self._gate = threading.Lock()  # of a process's threads one negotiates; the others queue behind it
        self._freed = threading.Event()
        with self._database.write() as connection:
            upsert(connection, _budgets, [{"tenant": tenant, "backlog": 0.0, "seen": now(connection)}])

    @classmethod
    def of_minute(cls, ledger: Ledger, tenant: str, calls: int) -> Budget:
        """At most so many calls in any minute, 10 or more: 200 are 5 at once and 3.175 a second. Two in a hundred are
        left out, for calls that are on their way a little longer than those before them."""
        burst = max(1, calls // 40)
        return cls(ledger, tenant, rate=(0.9775 * calls - burst) / 60, burst=burst)

    @contextmanager
    def call(self) -> Generator[None]:
        """Around one call: waits, asleep, for a turn and a free slot, and frees the slot at the end."""
        slot = uuid4().hex
        try:
            with self._gate:
                self._wait_for(slot)
            yield
        finally:
            # A slot that can't be given back now runs out by itself.
            with suppress(LedgerUnavailable), self._database.write(lasting=False) as connection:
                connection.execute(_leave, {"slot": slot})
            self._freed.set()

    def throttled(self, wait: float) -> None:
        """After a 429: nobody's next call begins before `wait` seconds from now."""
        with self._database.write() as connection:
            backlog, at = self._backlog(connection)
            self._store(connection, max(backlog, wait + self._tolerance), at)

    def _wait_for(self, slot: str) -> None:
        while True:
            self._freed.clear()
            with self._database.write(lasting=False) as connection:
                backlog, at = self._backlog(connection)
                early = backlog - self._tolerance
                ahead = self._line_up(connection, slot, at)
                if early <= 0 and ahead < self.parallel:
                    self._store(connection, backlog + self._interval, at)
                    return
            if early > 0:
                time.sleep(early)
            else:
                self._freed.wait(_LOOK_AGAIN * random.uniform(0.5, 1.5))  # noqa: S311

    def _backlog(self, connection: sa.Connection) -> tuple[float, float]:
        """What is left of the backlog, with the row locked, and the time that holds for."""
        row = connection.execute(_get_backlog, {"of": self.tenant}).one()
        at = now(connection)
        if at < row.seen:  # the clock was set back: what had to be waited for then starts anew from here
            self._store(connection, row.backlog, at)
            return row.backlog, at
        return max(0.0, row.backlog - (at - row.seen)), at

    def _store(self, connection: sa.Connection, backlog: float, at: float) -> None:
        connection.execute(_set_backlog, {"of": self.tenant, "backlog": backlog, "seen": at})

    def _line_up(self, connection: sa.Connection, slot: str, at: float) -> int:
        """Take a place at the end of the line, or keep it, and count who is ahead: those that call, and those
        that wait for longer. The first `parallel` in the line have the slots, so nobody is passed by."""
        line = connection.execute(_get_line, {"of": self.tenant}).all()
        if any(other.expires < at for other in line):
            connection.execute(_drop_expired, {"of": self.tenant, "at": at})
            line = [other for other in line if other.expires >= at]
        own = next((other.place for other in line if other.id == slot), None)
        if own is None:
            own = line[-1].place + 1 if line else 0
            row: dict[str, Any] = {"id": slot, "tenant": self.tenant, "place": own, "process": this_process()}
            connection.execute(_enter, row | {"expires": at + self.lease})
        else:
            connection.execute(_stay, {"slot": slot, "expires": at + self.lease})
        ahead = [other for other in line if other.place < own]
        if len(ahead) < self.parallel:
            return len(ahead)
        gone = [other.id for other in ahead if is_gone(other.process)]
        connection.execute(_slots.delete().where(_slots.c.id.in_(gone)))
        return len(ahead) - len(gone)
