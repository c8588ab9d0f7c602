"""A sync in both directions: read what is new on both sides, decide field by field, push, write back, commit.

Everything is decided from what both sides hold and from what they last agreed on. So a run that died needs no repair:
the next one reads from the same cursors, and what the dead one had got through is found to be equal already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.engine.records import RecordsDestination
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.twoway.back import WRITE_BACK
from planhat_pipelines.engine.twoway.decide import Winner
from planhat_pipelines.engine.twoway.fields import GONE, Side
from planhat_pipelines.engine.twoway.push import PUSH
from planhat_pipelines.engine.twoway.records import PlanhatRecords
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines.engine.twoway.round import Round
from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines.mapping.columns import Cell
from planhat_pipelines.mapping.targets import known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.lookups import targets
from planhat_pipelines.snowflake.records import RecordsTable
from planhat_pipelines.snowflake.writeback import Target


@dataclass
class TwoWaySync:
    """One declared sync in both directions, ready to run once; without `source` the table is only written to, as a
    mirror of the model.

    destination: maps rows and sends to Planhat. target: writes to Snowflake. updated_at: when a row changed, for
    `newest`. insert_new: whether records without a row get one; company_column is filled there. brake: share of the
    records that both sides know which one run may change on either side, None for no limit.
    """

    name: str
    source: RecordsTable | None
    target: Target
    records: PlanhatRecords
    destination: RecordsDestination
    ledger: Ledger
    fields: Sequence[Side]
    on_conflict: Winner = "snowflake"
    updated_at: Cell | None = None
    insert_new: bool = False
    company_column: str | None = None
    brake: float | None = 0.5

    @cached_property
    def companies(self) -> pl.DataFrame | None:
        """What rows name their company by, for a model that has one."""
        if self.destination.mapping.company is None:
            return None
        found = targets(self.records.client, model("company"))
        return known_targets(found, self.destination.company_id)

    def run(self, run: str, log: Callable[[str], None] = lambda _: None) -> TwoWayReport:
        """Bring what is new on either side to the other one, and return the account of it.

        Raises SyncBusy, Brake, Unbalanced and the errors of both sides. Whatever is raised, both cursors stand where
        they stood, and the next run decides anew from what both sides hold by then.
        """
        report = TwoWayReport(Report(self.name, run), Report(f"{self.name} from Planhat", run))
        with self.ledger.claim(self.name, run) as claim:
            try:
                self._work(claim, report, log)
            except BaseException as error:
                claim.finish("failed", report.counts, f"{type(error).__name__}: {error}")
                raise
            claim.finish("done", report.counts)
        log(report.line())
        return report

    def _work(self, claim: Claim, report: TwoWayReport, log: Callable[[str], None]) -> None:
        if window := self.ledger.open_window(self.name):
            claim.abandon(window)  # of a run that died while it moved the cursor
        left = self.ledger.batches(self.name, "intended")
        cursor = self.ledger.cursor(self.name)
        place: JsonObject = cursor.value or {}
        labels = [*(each.label for each in self.fields), GONE]
        increment = self.source.next(place.get("snowflake")) if self.source else None
        changes, seen = self.records.since(place.get("planhat"))
        look = Round(
            self,
            claim,
            report,
            log,
            self.ledger.bases(self.name, labels),
            self.ledger.intended_bases(self.name, labels, PUSH),
            self.ledger.intended_bases(self.name, labels, WRITE_BACK),
            changes,
        )
        for rows in increment.pieces() if increment else ():
            look.look_at(rows)
        if self.source and (due := look.due(whole=increment is not None and increment.whole)):
            for rows in self.source.rows(sorted(due)):
                look.look_at(rows)
        look.carry()
        for batch in left:
            claim.drop(batch.id)  # every row of it was looked at
        if changes.whole:
            claim.remember_bases(self.ledger.bases(self.name, labels))
        report.balance()
        after = {"snowflake": increment.cursor() if increment else place.get("snowflake"), "planhat": seen}
        if after != place:
            claim.commit(claim.begin({}, cursor.version), after)
        report.sent.cursor_from, report.sent.cursor_to = place.get("snowflake"), after["snowflake"]
        report.back.cursor_from, report.back.cursor_to = place.get("planhat"), seen
