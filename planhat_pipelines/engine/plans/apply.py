"""Run what was reviewed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from planhat_pipelines.engine.deliver import Delivery
from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.plans.rehearsal import as_kind, body_digest
from planhat_pipelines.engine.plans.review import MARKS, Review
from planhat_pipelines.engine.protocols import Parcel, Receipt
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.twoway.plan import rows_digest
from planhat_pipelines.engine.twoway.sync import TwoWaySync
from planhat_pipelines.snowflake.writeback import Target, Written


class Moved(Exception):
    """Something is not as it was when the plan was made; the text says what, and what to do."""


def compare(reviewed: dict[str, str], now: Review, sync: str) -> None:
    """Raises Moved unless a plan made now has the marks of the reviewed one."""
    moved = [what for name, what in MARKS.items() if reviewed.get(name) != now.marks[name]]
    if moved:
        lines = "\n".join(f"  - {what}" for what in moved)
        raise Moved(
            f"{sync}: nothing was sent, as this has moved since the plan was made:\n{lines}\n"
            f"Plan again, and review that: planhat-pipelines plan {sync} --out FILE"
        )


def held_to(sync: Sync | TwoWaySync, requests: Sequence[str]) -> Sync | TwoWaySync:
    """The same sync, which raises Moved before a request that was not reviewed."""
    reviewed = frozenset(requests)
    if isinstance(sync, Sync):
        return replace(sync, delivery=partial(_Delivery, reviewed=reviewed))
    return replace(
        sync,
        destination=as_kind(_Destination, sync.destination, reviewed=reviewed),
        target=as_kind(_Target, sync.target, reviewed=reviewed),
    )


def _stop(sync: str) -> Moved:
    return Moved(
        f"{sync}: something changed in the very moment of applying, and this request was not reviewed. It was not "
        "sent, and the run stopped; what was sent before is in the ledger. Plan again for the rest."
    )


@dataclass
class _Delivery(Delivery):
    reviewed: frozenset[str] = field(default_factory=frozenset[str])

    def send(self, parcel: Parcel, *, window: int | None, unpark: bool = False) -> None:
        if self.intent(parcel, window)["body_hash"] not in self.reviewed:
            raise _stop(self.report.sync)
        super().send(parcel, window=window, unpark=unpark)


@dataclass
class _Destination(RecordsDestination):
    reviewed: frozenset[str] = field(default_factory=frozenset[str])

    def send(self, parcel: Parcel) -> Receipt:
        if body_digest(parcel.body) not in self.reviewed:
            raise _stop(self.sync)
        return super().send(parcel)


@dataclass(frozen=True)
class _Target(Target):
    reviewed: frozenset[str] = field(default_factory=frozenset[str])

    def write(self, rows: pl.DataFrame) -> Written:
        marks_only = not any(name in rows.columns for name in self.columns)
        if not marks_only and rows_digest(rows) not in self.reviewed:
            raise _stop(str(self.table))
        return super().write(rows)
