"""A run whose ends only take notes, so that nothing is decided otherwise than in a run: what would be sent is noted,
what would be written into the ledger goes nowhere, and drops stay where they lie."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from planhat_pipelines.engine.deliver import Delivery
from planhat_pipelines.engine.drops.book import DropBook
from planhat_pipelines.engine.drops.source import DropsSource
from planhat_pipelines.engine.drops.window import DropWindow
from planhat_pipelines.engine.plans.plan import Plan
from planhat_pipelines.engine.protocols import Parcel
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.files import Entry, Inbox
from planhat_pipelines.files.names import shown
from planhat_pipelines.ledger import Claim, Cursor, Ledger, NewParked, Window
from planhat_pipelines.mapping.targets import Mapped
from planhat_pipelines.snowflake.records import RecordsTable

T = TypeVar("T")


def rehearse(sync: Sync, plan: Plan) -> None:
    """Do what a run of the sync would do, up to its ends, and note it in the plan. Raises what a run raises before it
    sends anything."""
    if sync.ledger.open_window(sync.name) or sync.ledger.batches(sync.name, "intended"):
        plan.problem = (
            "An earlier run left work unfinished, which the next run settles first. Plan after that."
        )
        return
    with _rehearsed(sync, plan) as rehearsed:
        report = rehearsed.run("plan")
    plan.told_by(report)


@contextmanager
def _rehearsed(sync: Sync, plan: Plan) -> Generator[Sync]:
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source := sync.source, DropsSource):
            source = as_kind(_Drops, source, plan=plan, spool=Path(folder) / sync.name)
            if hasattr(sync.destination, "scratch"):
                sync = replace(
                    sync, destination=replace(cast("Any", sync.destination), scratch=source.scratch)
                )
        elif isinstance(source, RecordsTable):
            source.lag = 0.0  # a late commit is for the run
        delivery = partial(_Notes, plan=plan)
        yield replace(sync, source=source, ledger=Unwritten(sync.ledger), delivery=delivery)


def as_kind(kind: Callable[..., T], end: Any, **changes: Any) -> T:
    """The same end, of another kind."""
    given = {each.name: getattr(end, each.name) for each in fields(end) if each.init}
    return kind(**given | changes)


def body_digest(body: bytes) -> str:
    """What a request is known by."""
    return hashlib.sha256(body).hexdigest()[:32]


@dataclass
class _Notes(Delivery):
    """Takes rows as far as their requests."""

    plan: Plan = field(default_factory=Plan)

    def deliver(self, mapped: Mapped, *, window: int | None, unpark: bool = False) -> None:
        self.plan.take(mapped, self.destination)
        super().deliver(mapped, window=window, unpark=unpark)

    def send(self, parcel: Parcel, *, window: int | None, unpark: bool = False) -> None:
        self.plan.requests.append(self.intent(parcel, window)["body_hash"])
        self.report.requests += 1
        self.report.items_sent += parcel.items
        self.report.count({"submitted": len(parcel.rows) if parcel.weight is None else parcel.weight})


class Unwritten(Ledger):
    """The ledger to read; what a claim would write goes nowhere, but that the run itself sees its cursor move."""

    def __init__(self, ledger: Ledger, parked: Callable[[list[NewParked]], None] = lambda _: None) -> None:
        super().__init__(ledger.database)
        self.parks = parked
        self.moved: Cursor | None = None

    def claim(self, sync: str, run: str, *, lease: float = 60.0) -> AbstractContextManager[Claim]:
        return nullcontext(cast("Claim", _Nowhere(self, sync)))

    def cursor(self, sync: str) -> Cursor:
        return self.moved or super().cursor(sync)


class _Nowhere:
    """Takes every call of a claim and does nothing."""

    def __init__(self, ledger: Unwritten, sync: str) -> None:
        self._ledger, self.sync = ledger, sync

    def begin(self, bounds: dict[str, Any], cursor_version: int) -> Window:
        return Window(0, self.sync, bounds, cursor_version, "")

    def commit(self, window: Window, cursor: dict[str, Any], *, drop: object = None) -> None:
        self._ledger.moved = Cursor(self.sync, cursor, window.cursor_version + 1)

    def park(self, parked: Iterable[NewParked]) -> None:
        self._ledger.parks(list(parked))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_, **__: SimpleNamespace(id="")


@dataclass
class _Drops(DropsSource):
    """The drops that wait, read where they lie and left there, each once."""

    plan: Plan = field(default_factory=Plan)
    _seen: bool = False

    @cached_property
    def inbox(self) -> Inbox:
        book = DropBook(self.sync, self.ledger, self._claim)
        return _Inbox(self.sync, self.bucket, self.layout, book, self.spool)

    def _take(self) -> Entry | None:
        if not self._seen:
            self._listed.extend(self.inbox.waiting().drops)
            self._seen = True
        return self.inbox.claim(self._listed.popleft()) if self._listed else None

    def _open(self, entry: Entry) -> DropWindow | None:
        before = len(self.unreadable)
        opened = super()._open(entry)
        reason = "".join(self.unreadable[before:]).partition(": ")[2]
        what = f"{opened.reading.rows:,} rows" if opened else f"cannot be read: {reason}"
        self.plan.drops.append((shown(entry.drop.key), what))
        return opened


class _Inbox(Inbox):
    """Moves nothing and writes nothing."""

    def finish(self, entry: Entry) -> Entry:
        self.spool.keep_only([])
        return entry

    def put_refused_rows(self, entry: Entry, frames: Iterable[Any]) -> str:
        return entry.drop.key
