"""Bring mapped rows to Planhat through the ledger: intended before the request, settled with its answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.engine.protocols import Destination, Parcel, Receipt, Refusal
from planhat_pipelines.engine.report import Report
from planhat_pipelines.ledger import Batch, Claim, Intent, NewParked, NewRejection
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped
from planhat_pipelines.planhat.errors import Doubt, PlanhatError

_QUIET = 5.0  # seconds between two lines of progress
_PATIENCE = 3  # unclear answers in a row, after which the run gives up and the next one goes on


@dataclass
class Delivery:
    """One run's way to Planhat."""

    claim: Claim
    destination: Destination
    report: Report
    log: Callable[[str], None]
    unsure: Callable[[Batch], None]  # told of a batch whose answer never came
    _said: float = field(default_factory=time.monotonic)
    _unclear: int = 0

    def deliver(self, mapped: Mapped, *, window: int | None, unpark: bool = False) -> None:
        """Record what cannot go, send the rest. With `unpark`, rows that get an answer stop being parked."""
        refusals = [
            Refusal(row, "map", field, reason, key, self.destination.by_address)
            for row, key, field, reason in mapped.refused.select(ROW, "key", "field", "reason").iter_rows()
        ]
        self.claim.reject(rejections(refusals))
        self.report.refuse(refusals)
        self.report.count(
            {"refused": len(refusals), "parked": mapped.parked.height, "unchanged": mapped.unchanged}
        )
        if unpark:
            self.claim.unpark([refusal.row for refusal in refusals])
        self.claim.park(
            [
                NewParked(row, self.destination.model, self.destination.id_kind, *named)
                for row, *named in mapped.parked.select(ROW, "target", pl.col("^key$")).iter_rows()
            ]
        )
        for parcel in self.destination.parcels(mapped.ready):
            self.send(parcel, window=window, unpark=unpark)
            self._progress()

    def send(self, parcel: Parcel, *, window: int | None, unpark: bool = False) -> None:
        """One parcel through the ledger."""
        batch = self.claim.intend(lasting=self._lasting, **self.intent(parcel, window))
        self.report.days.update(parcel.days)
        self.dispatch(batch, parcel, unpark=unpark)

    def dispatch(self, batch: Batch, parcel: Parcel, *, unpark: bool = False, rest: bool = False) -> None:
        """Send what the ledger has written down as intended, and settle it. `rest`: of a batch that counts as
        answered already, so that its rows would be lost if the ledger forgot them."""
        self.report.requests += 1
        self.report.items_sent += parcel.items
        try:
            receipt = self.destination.send(parcel)
        except Doubt:
            self._unclear += 1
            if self._unclear > _PATIENCE:
                raise  # the batch stays intended; the next run finds out
            self.log(
                f"{self.report.sync}: a batch of {parcel.items:,} items had no clear answer; asking what arrived"
            )
            self.unsure(batch)
        except PlanhatError:
            if not rest:
                self.claim.drop(batch.id)  # Planhat has said, or it is certain, that it did not take it
            raise
        else:
            self._unclear = 0
            places = parcel.rows if parcel.places is None else parcel.places
            self.settle(batch, receipt, unpark=places.to_list() if unpark else ())

    def intent(self, parcel: Parcel, window: int | None) -> Intent:
        """What the ledger writes down of a parcel before it is sent."""
        return {
            "window": window,
            "body_hash": hashlib.sha256(_said(parcel)).hexdigest()[:32],
            "purpose": self.destination.purpose,
            "items": parcel.items,
            "rows": parcel.rows,
            "points": parcel.points,
            "dimensions": parcel.dimensions,
            "first_day": parcel.first_day,
            "last_day": parcel.last_day,
        }

    def settle(self, batch: Batch, receipt: Receipt, *, unpark: Sequence[str] = ()) -> None:
        """Write the answer down and count it."""
        self.claim.settle(
            batch.id,
            {str(verdict): count for verdict, count in receipt.counts.items()},
            rejections=rejections(receipt.refusals),
            unpark=unpark,
            lasting=self._lasting,
        )
        self.report.count(receipt.counts)
        self.report.refuse(receipt.refusals)
        for words in receipt.said:
            self.log(f"{self.report.sync}: Planhat took the batch and said: {words}")

    @property
    def _lasting(self) -> bool:
        """Whether a batch has to survive a power cut. Records do no harm when they are sent twice, and the end of their
        window makes all of it last."""
        return self.destination.purpose != "records"

    def _progress(self) -> None:
        if time.monotonic() - self._said >= _QUIET:
            self._said = time.monotonic()
            self.log(self.report.line())


def _said(parcel: Parcel) -> bytes:
    """What tells the body from others. Where every item has a fingerprint (a 0 is none), these stand for it, as they
    are much shorter."""
    return parcel.body if parcel.points is None or not parcel.points.all() else parcel.points.tobytes()


def rejections(refusals: Sequence[Refusal]) -> list[NewRejection]:
    """Refusals as the ledger keeps them."""
    return [NewRejection(each.row, each.stage, each.reason, each.field, each.kept) for each in refusals]
