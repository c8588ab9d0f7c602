"""A sync in both directions: read what is new on both sides, decide field by field, push, write back, commit.

Everything is decided from what both sides hold and from what they last agreed on. So a run that died needs no repair:
the next one reads from the same cursors, and what the dead one had got through is found to be equal already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from planhat_pipelines.engine.destinations.held import Held
from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.engine.report import Report
from planhat_pipelines.engine.twoway.back import WRITE_BACK
from planhat_pipelines.engine.twoway.carry import Carry
from planhat_pipelines.engine.twoway.decide import Winner
from planhat_pipelines.engine.twoway.fields import GONE, ID, Side
from planhat_pipelines.engine.twoway.push import PUSH
from planhat_pipelines.engine.twoway.records import PlanhatRecords
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines.engine.twoway.round import Round
from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines.mapping.columns import Cell
from planhat_pipelines.mapping.targets import known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.lookups import targets
from planhat_pipelines.snowflake.errors import in_words
from planhat_pipelines.snowflake.records import RecordsIncrement, RecordsTable
from planhat_pipelines.snowflake.writeback import Target

_MANY = 100  # entries of bases that are summed up


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
                claim.finish("failed", report.counts, in_words(error))
                raise
            claim.finish("done", report.counts)
        log(report.line())
        return report

    @cached_property
    def by_company(self) -> bool:
        """Whether a key means a record only together with its company: external ids of all models but companies are
        unique within one only. (Planhat developers, core concepts.)"""
        owned = self.records.model.company_field not in (None, "companyIds")
        return owned and self.companies is not None and self.records.key == "externalId"

    def _work(self, claim: Claim, report: TwoWayReport, log: Callable[[str], None]) -> None:
        if window := self.ledger.open_window(self.name):
            claim.abandon(window)  # of a run that died while it moved the cursor
        left = self.ledger.batches(self.name, "intended")
        cursor = self.ledger.cursor(self.name)
        place: JsonObject = cursor.value or {}
        increment = self.source.next(place.get("snowflake")) if self.source else None
        with Held() as held:
            look, seen = self._look(claim, report, log, increment, place, held)
            Carry(look, seen["stamp"]).carry()
        for batch in left:
            claim.drop(batch.id)  # every row of it was looked at
        if self.ledger.base_entries(self.name) > _MANY:
            claim.remember_bases(self.ledger.bases(self.name, self._labels))
        report.balance()
        after = {"snowflake": increment.cursor() if increment else place.get("snowflake"), "planhat": seen}
        if after != place:
            claim.commit(claim.begin({}, cursor.version), after)
        report.sent.cursor_from, report.sent.cursor_to = place.get("snowflake"), after["snowflake"]
        report.back.cursor_from, report.back.cursor_to = place.get("planhat"), seen

    @property
    def _labels(self) -> list[str]:
        return [*(each.label for each in self.fields), GONE, ID]

    def _look(
        self,
        claim: Claim,
        report: TwoWayReport,
        log: Callable[[str], None],
        increment: RecordsIncrement | None,
        place: JsonObject,
        held: Held,
    ) -> tuple[Round, JsonObject]:
        """What there is to do, and the place in Planhat after it."""
        began = time.monotonic()
        changes, seen = self.records.since(place.get("planhat"))
        look = Round(
            self,
            claim,
            report,
            log,
            self.ledger.bases(self.name, self._labels),
            self.ledger.intended_bases(self.name, self._labels, PUSH),
            self.ledger.intended_bases(self.name, self._labels, WRITE_BACK),
            changes.whole,
            held,
            began,
        )
        look.look_there(changes.records)
        del changes  # which may be much
        for rows in increment.pieces() if increment else ():
            look.look_at(rows)
        whole = increment is not None and increment.whole
        if whole:
            look.all_were_looked_at()
        if self.source and (due := look.due(whole=whole)):
            for rows in self.source.rows(sorted(due)):
                look.look_at(rows)
        return look, seen
