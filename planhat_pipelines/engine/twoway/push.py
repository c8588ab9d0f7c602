"""The way to Planhat: of each record only the fields that Snowflake wins, through the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.engine.deliver import rejections
from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.protocols import Parcel
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.twoway import decide
from planhat_pipelines.engine.twoway.fields import GONE, Side
from planhat_pipelines.engine.twoway.pairs import agreed
from planhat_pipelines.ledger import Claim
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.values import Value

PUSH = "push"


@dataclass
class Push:
    """`records` sends and reads answers; which rows go, and what both sides agree on afterwards, is ours."""

    claim: Claim
    records: RecordsDestination
    fields: Sequence[Side]
    report: Report
    delivered: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of records that are there now

    def ready(self, pairs: pl.DataFrame, values: Sequence[Value]) -> pl.DataFrame:
        """Decided rows as items: ROW, `key`, `body`, `hash`, and the new bases under the fields' labels."""
        chosen = [pl.lit(False)] * len(values)
        for at, each in enumerate(self.fields):
            if each.sent is not None:
                goes = (pl.col(f"d{at}") == decide.PUSH) | ~pl.col("there")
                clears = self.records.mapping.fields[each.sent].clear
                chosen[each.sent] = goes if clears else goes & values[each.sent].expr.is_not_null()
        bodies = self.records.mapping.bodies(pairs, values, chosen)
        bases = agreed(pairs, self.fields, decide.PUSH).drop("key")
        return pairs.select(ROW, "key", hash=pl.lit(0, pl.UInt64)).with_columns(bodies).hstack(bases)

    def deliver(self, ready: pl.DataFrame) -> None:
        """Send the items. An error leaves their batch as intended: what became of it shows when both sides are read
        again, and nothing is sent again without that look."""
        if not ready.height:
            return
        bases = ready.select("key", *(each.label for each in self.fields), GONE)
        parcels, at = self.records.parcels(ready.select(ROW, "key", "body", "hash")), 0
        for parcel in parcels:
            self._send(parcel, bases[at : at + parcel.items])
            at += parcel.items

    def _send(self, parcel: Parcel, bases: pl.DataFrame) -> None:
        body = hashlib.sha256(parcel.body).hexdigest()[:32]
        batch = self.claim.intend(
            window=None,
            body_hash=body,
            purpose=PUSH,
            items=parcel.items,
            rows=parcel.rows,
            points=None,
            dimensions=(),
            first_day=None,
            last_day=None,
            bases=bases,
        )
        self.report.requests += 1
        self.report.items_sent += parcel.items
        receipt = self.records.send(parcel)
        refused = [each.row for each in receipt.refusals]
        self.claim.settle(
            batch.id,
            {str(verdict): count for verdict, count in receipt.counts.items()},
            rejections=rejections(receipt.refusals),
            unpark=parcel.rows.to_list(),
            bases=bases.filter(~pl.col("key").is_in(refused)) if refused else None,
        )
        self.delivered.append(parcel.rows.filter(~parcel.rows.is_in(refused)))
        self.report.count(receipt.counts)
        self.report.refuse(receipt.refusals)
