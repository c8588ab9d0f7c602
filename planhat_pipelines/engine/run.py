"""A sync: read, map, deliver, commit, whatever its source and destination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import polars as pl

from planhat_pipelines.engine.again import is_again
from planhat_pipelines.engine.deliver import Delivery, rejections
from planhat_pipelines.engine.doubt import Doubts
from planhat_pipelines.engine.drops.overtaking import older
from planhat_pipelines.engine.protocols import (
    Brake,
    Destination,
    DropIncrement,
    Increment,
    JsonObject,
    Refusal,
    Source,
)
from planhat_pipelines.engine.report import Report
from planhat_pipelines.ledger import Batch, Claim, Ledger, Window
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped
from planhat_pipelines.snowflake.errors import in_words


@dataclass(frozen=True)
class Sync:
    """One declared sync, ready to run. `patience`: see `Doubts`. `delivery`: the way to Planhat."""

    name: str
    source: Source
    destination: Destination
    ledger: Ledger
    patience: float = 120.0
    delivery: Callable[..., Delivery] = Delivery

    def run(self, run: str, log: Callable[[str], None] = lambda _: None) -> Report:
        """Bring everything that is new to Planhat and return the account of it.

        Raises SyncBusy when another run of the same sync is alive, the errors of source and destination, and
        Unbalanced. Whatever is raised, the cursor stands behind the last window that was answered in full, and
        the next run goes on from there: nothing is lost and nothing is sent twice.
        """
        report = Report(self.name, run)
        with self.ledger.claim(self.name, run) as claim:
            self.source.claimed(claim)
            try:
                self._work(claim, report, log)
                report.unreadable.extend(self.source.unreadable)
                report.warnings.extend(self.destination.warnings)
                report.balance()
            except BaseException as error:
                claim.finish("failed", report.counts, in_words(error))
                raise
            claim.finish("done", report.counts)
        for warning in report.warnings:
            log(f"{self.name}: WARNING: {warning}")
        log(report.line())
        return report

    def _work(self, claim: Claim, report: Report, log: Callable[[str], None]) -> None:
        def unsure(batch: Batch) -> None:
            doubts.settle(batch)

        delivery = self.delivery(claim, self.destination, report, log, unsure=unsure)
        doubts = Doubts(self.ledger, self.source, delivery, self.patience)
        doubts.settle_earlier(self.name)
        cursor = self.ledger.cursor(self.name)
        report.cursor_from = cursor.value
        if window := self.ledger.open_window(self.name):
            if increment := self.source.again(window.bounds):
                log(f"{self.name}: going on with the window that an earlier run began")
                self._take(window, increment, delivery, resumed=True)
                cursor = self.ledger.cursor(self.name)
            else:
                log(
                    f"{self.name}: the window that an earlier run began cannot be read any more; starting anew"
                )
                claim.abandon(window)
        self._try_parked(delivery)
        while increment := self.source.next(cursor.value):
            self._take(claim.begin(increment.bounds, cursor.version), increment, delivery, resumed=False)
            cursor = self.ledger.cursor(self.name)
        report.cursor_to = cursor.value

    def _take(self, window: Window, increment: Increment, delivery: Delivery, *, resumed: bool) -> None:
        before = delivery.report.counts
        answered = self._answered(window) if resumed else None
        mapped = self._mapped(increment, answered, delivery.report)
        try:
            for each in self.destination.gate(mapped, whole=increment.whole, answered=answered):
                delivery.report.recovered += each.recovered
                delivery.report.rows_read -= each.recovered
                # Only rows of a resumed window can be parked already, by the run that began it.
                delivery.deliver(each, window=window.id, unpark=resumed)
        except Brake:
            delivery.claim.abandon(window)  # the next run looks at the table as it is then
            raise
        for each in self.destination.gone(whole=increment.whole):
            delivery.report.rows_read += each.ready.height if increment.whole else 0
            delivery.deliver(each, window=window.id)
        drop = self._end_of_drop(increment, delivery, before) if _is_drop(increment) else None
        if _is_drop(increment):
            parked, rejected = increment.overtaken()
            self._overtake(parked, delivery)
            delivery.claim.resolve(rejected)
        delivery.report.balance()
        delivery.claim.commit(window, increment.cursor(), drop=drop)
        self.destination.committed(delivery.claim)
        if _is_drop(increment):
            increment.closed()

    def _end_of_drop(
        self, increment: DropIncrement, delivery: Delivery, before: Mapping[str, int]
    ) -> JsonObject:
        report = delivery.report
        for rows in increment.unread():
            report.rows_read += rows.height
            delivery.deliver(Mapped.refusing(rows), window=None)
        report.rows_read += increment.duplicates()
        report.count({"duplicate": increment.duplicates()})
        return increment.answered({name: count - before[name] for name, count in report.counts.items()})

    def _mapped(
        self, increment: Increment, answered: pl.DataFrame | None, report: Report
    ) -> Iterator[Mapped]:
        for piece in increment.pieces():
            rows = (
                piece if answered is None else piece.join(answered, on=ROW, how="anti", maintain_order="left")
            )
            report.recovered += piece.height - rows.height
            report.rows_read += rows.height
            yield self.destination.map(rows)

    def _answered(self, window: Window) -> pl.DataFrame:
        batches = self.ledger.batches(self.name, "settled", "held", window=window.id)
        rows = [pl.Series(ROW, batch.rows, dtype=pl.String) for batch in batches]
        return pl.concat([pl.Series(ROW, [], dtype=pl.String), *rows]).to_frame()

    def _try_parked(self, delivery: Delivery) -> None:
        parked = self.ledger.parked(self.name)
        if not parked:
            return
        again = [each.row for each in parked if is_again(each)]
        waiting = [each for each in parked if not is_again(each)]
        known = self.destination.known([each.target for each in waiting]) if waiting else set[str]()
        due = again + [each.row for each in waiting if each.target in known]
        delivery.claim.tried([each.row for each in waiting if each.target not in known])
        gone = set(due)

        def mapped() -> Iterator[Mapped]:
            for rows in self.source.rows(due):
                gone.difference_update(rows[ROW])
                delivery.report.rows_read += rows.height
                yield self.destination.map(rows)

        for each in self.destination.gate(mapped(), parked=True):
            delivery.deliver(each, window=None, unpark=True)
        self._let_go(sorted(gone.difference(again)), delivery)
        left = self.ledger.parked(self.name)
        settled = [each.row for each in left if is_again(each)]  # Planhat has what they say, or they are gone
        delivery.claim.unpark(settled)
        delivery.claim.resolve(settled)
        ends = gone.union(each.row for each in [*left, *self.ledger.rejections(self.name)])
        self._overtake(older(parked, set(due) - ends, left), delivery)

    def _overtake(self, rows: Sequence[str], delivery: Delivery) -> None:
        """These rows waited with values that are older than what Planhat has by now."""
        if not rows:
            return
        delivery.log(
            f"{self.name}: {len(rows):,} rows that waited are not sent, as newer rows of the same keys were"
        )
        delivery.report.rows_read += len(rows)
        delivery.report.count({"duplicate": len(rows)})
        delivery.claim.unpark(rows)

    def _let_go(self, gone: Iterable[str], delivery: Delivery) -> None:
        refusals = [
            Refusal(row, "read", "", "was parked, and is no longer in the source now that its target exists")
            for row in gone
        ]
        delivery.report.rows_read += len(refusals)
        delivery.report.count({"refused": len(refusals)})
        delivery.report.refuse(refusals)
        delivery.claim.reject(rejections(refusals))
        delivery.claim.unpark([refusal.row for refusal in refusals])


def _is_drop(increment: Increment) -> TypeGuard[DropIncrement]:
    return hasattr(increment, "closed")
