"""Settle batches of which nobody knows whether Planhat took them.

It happens to a run that was killed between request and answer, and to a request whose answer was lost. Records
are simply sent again, as an upsert by key does no harm. Metric points are appended by Planhat and never replaced,
so they are read back and only the missing ones are sent. Activities cannot be read back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from planhat_pipelines.engine.deliver import Delivery, rejections
from planhat_pipelines.engine.protocols import Refusal, Source
from planhat_pipelines.ledger import Batch, Ledger
from planhat_pipelines.mapping.aggregate import WEIGHT
from planhat_pipelines.mapping.columns import ROW


@dataclass(frozen=True)
class Doubts:
    """Finds out what became of doubtful batches. `patience`: seconds after which Planhat shows what it took."""

    ledger: Ledger
    source: Source
    delivery: Delivery
    patience: float
    sleep: Callable[[float], None] = time.sleep

    def settle_earlier(self, sync: str) -> None:
        """Batches that an earlier run sent, or was about to send, when it died."""
        for batch in self.ledger.batches(sync, "intended"):
            self.delivery.log(
                f"{sync}: an earlier run left a batch of {batch.items:,} items without an answer"
            )
            self._settle(batch, earlier_run=True)

    def settle(self, batch: Batch) -> None:
        """A batch of this very run."""
        self._settle(batch, earlier_run=False)

    def _settle(self, batch: Batch, *, earlier_run: bool) -> None:
        match self.delivery.destination.on_doubt:
            case "resend":
                # Its rows are still in the open window, or still parked, and so are read and sent again.
                self.delivery.claim.drop(batch.id)
                if not earlier_run:
                    self._again(batch)
            case "hold":
                self._hold(batch, earlier_run=earlier_run)
            case "ask":
                self._ask(batch, earlier_run=earlier_run)

    def _hold(self, batch: Batch, *, earlier_run: bool) -> None:
        reason = (
            "sent, but no answer came; Planhat cannot be asked for activities, so they are not sent again"
        )
        # Parked rows first, so that a crash between the two cannot send them again. Rows of a window may be parked
        # too, by the run that began it.
        self.delivery.claim.unpark(batch.rows)
        self.delivery.claim.hold(batch.id, reason)
        held = len(batch.rows)
        self.delivery.report.rows_read += held if earlier_run else 0
        self.delivery.report.count({"held": held})

    def _again(self, batch: Batch) -> None:
        for parcel in self.delivery.destination.parcels(self._ready(batch)):
            self.delivery.send(parcel, window=batch.window, unpark=True)

    def _ask(self, batch: Batch, *, earlier_run: bool) -> None:
        report, claim = self.delivery.report, self.delivery.claim
        self._wait_until_shown(batch.intended_at if earlier_run else datetime.now(UTC))
        ready = self._ready(batch)
        earlier = self.ledger.fingerprints(
            batch.dimensions, batch.first_day or 0, batch.last_day or 0, excluding=[batch.id]
        )
        found = self.delivery.destination.found(batch, earlier, ready)
        refusals = [
            Refusal(row, "planhat", "", "sent without an answer, then changed or deleted: cannot be checked")
            for row in found.unknown
        ]
        missing = found.missing
        still_to_send = _weight(ready, missing.rows) if missing else 0
        arrived = _weight(ready, pl.Series(batch.rows, dtype=pl.String)) - still_to_send - len(refusals)
        settled = {"submitted": arrived, "refused": len(refusals)}
        if earlier_run:
            report.recovered += arrived if batch.window is None else 0  # else counted when the window is read
            report.rows_read += still_to_send + len(refusals)
        report.count({"submitted": 0 if earlier_run else arrived, "refused": len(refusals)})
        report.refuse(refusals)
        self.delivery.log(f"{report.sync}: of {len(batch.rows):,} doubtful rows {arrived:,} had arrived")
        if missing is None:
            claim.settle(
                batch.id, settled, points=found.points, rejections=rejections(refusals), unpark=batch.rows
            )
            return
        claim.reject(rejections(refusals))
        claim.unpark(list(set(batch.rows).difference(missing.rows)))
        rest = claim.supersede(batch.id, settled, found.points, **self.delivery.intent(missing, batch.window))
        self.delivery.dispatch(rest, missing, unpark=True, rest=True)

    def _wait_until_shown(self, sent: datetime) -> None:
        left = self.patience - (datetime.now(UTC) - sent).total_seconds()
        if left > 0:
            self.delivery.log(
                f"{self.delivery.report.sync}: waiting {left:.0f} s until Planhat shows what it took"
            )
            self.sleep(left)

    def _ready(self, batch: Batch) -> pl.DataFrame:
        """The batch's rows, read and mapped again as they are now."""
        destination = self.delivery.destination
        mapped = (destination.map(rows) for rows in self.source.rows(batch.rows))
        frames = [each.ready for each in destination.gate(mapped)]
        filled = [frame for frame in frames if frame.height]  # an empty frame does not know its types
        ready = pl.concat(filled or frames[:1], how="vertical_relaxed")
        return ready.filter(pl.col(ROW).is_in(batch.rows))


def _weight(ready: pl.DataFrame, rows: pl.Series) -> int:
    """How many rows of the source these rows stand for."""
    if WEIGHT not in ready.columns:
        return len(rows)
    return int(ready.filter(pl.col(ROW).is_in(rows.implode()))[WEIGHT].sum())
