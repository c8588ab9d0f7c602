"""Records as a destination: upserts by key, only of what changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import polars as pl

from planhat_pipelines.engine.destinations.held import Held
from planhat_pipelines.engine.destinations.known import ARCHIVED, Gone, Known
from planhat_pipelines.engine.destinations.openrows import OpenRows
from planhat_pipelines.engine.protocols import Brake, Destination, Parcel, Receipt, Refusal, Verdict
from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import COPIES, NOTHING, PLACE, RecordsMapping
from planhat_pipelines.mapping.targets import Mapped, known_among, known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.delivery import body_of, deliver
from planhat_pipelines.planhat.lookups import targets

ITEMS_A_REQUEST = 5_000  # Planhat developers, bulk upsert
BYTES_A_REQUEST = 30_000_000  # of the 32 MB Planhat takes
_FEW = 100  # a brake is for mass changes


@dataclass
class RecordsDestination(Destination):
    """Rows to records of one model, for one run. `archive`: the field that archives a record, or None to leave
    records alone whose row is gone. `brake`: share of the known records that may change, None for no limit."""

    sync: str
    planhat: Planhat
    ledger: Ledger
    mapping: RecordsMapping
    company_id: str = "external"
    archive: str | None = None
    brake: float | None = 0.5
    purpose = "records"
    log: Callable[[str], None] = lambda _: None
    _gone: Gone | None = None  # of the window
    _sent: bool = False

    @property
    def model(self) -> str:
        return "company"

    @property
    def id_kind(self) -> str:
        return self.company_id

    @property
    def by_address(self) -> bool:
        return self.mapping.key == "email"

    @property
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        return "resend"

    @cached_property
    def _known(self) -> Known:
        return Known.of(self.ledger.record_parts(self.sync))

    @cached_property
    def _open(self) -> OpenRows:
        return OpenRows(self.ledger.rejections(self.sync), self.ledger.parked(self.sync))

    @cached_property
    def _companies(self) -> pl.DataFrame | None:
        if self.mapping.company is None:
            return None
        return known_targets(targets(self.planhat, model("company")), self.company_id)

    def map(self, rows: pl.DataFrame) -> Mapped:
        """Rows that say what Planhat was told before are not sent; if it refused them then, they stay refused."""
        there = rows.filter(pl.col(COPIES) > 0)
        left = rows.filter(pl.col(COPIES) == 0)[ROW]
        to_archive = self._note(there[ROW], left)
        mapped = self.mapping.apply(there, self._companies)
        told = self._told(mapped.ready)
        same = (pl.col("hash") == pl.col("told")).fill_null(False)
        before = told.filter(same)
        still = before.join(self._open.refused, on=ROW, maintain_order="left")
        unchanged = before.join(self._open.refused, on=ROW, how="anti")[ROW]
        self._open.see(rows[ROW])
        self._open.see_ends(
            quiet=pl.concat([unchanged, left.filter(~to_archive)]),
            misfits=mapped.refused[ROW],
            waiting=mapped.parked[ROW],
        )
        refused = still.select(ROW, "key", pl.lit("").alias("field"), "reason")
        return replace(
            mapped,
            ready=told.filter(~same),
            refused=pl.concat([mapped.refused, refused]) if refused.height else mapped.refused,
            unchanged=len(unchanged) + len(left) - int(to_archive.sum()),
        )

    def _note(self, there: pl.Series, left: pl.Series) -> pl.Series:
        """Keep in mind which rows are there and which are gone; returns for which of these a record is archived."""
        if self._gone is None:  # no window, but rows that waited
            return pl.repeat(False, len(left), eager=True)
        self._gone.there(there.drop_nulls())
        return self._gone.left(left) & (self.archive is not None)

    def _told(self, ready: pl.DataFrame) -> pl.DataFrame:
        """What Planhat was told of each row, as `told`. A row that comes in a drop after it was refused is meant to be
        tried again, so of that nothing counts as told. Its place in the drop is not its name."""
        told = ready.with_columns(self._known.told_of(ready[ROW]))
        if PLACE not in ready.columns:
            return told
        again = pl.col(ROW).is_in(self._open.refused_keys) & (pl.col(ROW) != pl.col(PLACE))
        return told.with_columns(told=pl.when(~again).then("told"))

    def gate(
        self,
        mapped: Iterator[Mapped],
        *,
        whole: bool = False,
        answered: pl.DataFrame | None = None,
        parked: bool = False,
    ) -> Iterator[Mapped]:
        """Hold a window back until it is clear that it does not change too many records."""
        if parked:
            yield from mapped
            return
        self._gone = gone = Gone(self._known, whole=whole, which=self.archive is not None)
        if (
            answered is not None
        ):  # what an earlier run sent of this very window is not mapped again, but it is there
            gone.there(answered[ROW])
            self._open.see(answered[ROW])
        if self.brake is None or not len(self._known):
            yield from mapped
            return
        most = max(_FEW, int(self.brake * len(self._known)))
        changed = 0
        with Held() as held:
            for each in mapped:
                changed += each.ready["told"].count()
                self._stop_above(most, changed, "change")
                held.put(each)
            self._stop_at_an_empty_table(gone)
            self._stop_above(most, len(gone) if self.archive else 0, "archive")
            yield from held

    def _stop_above(self, most: int, many: int, what: str) -> None:
        if many > most:
            raise Brake(
                f"{self.sync}: this run would {what} more than {most:,} of {len(self._known):,} known records "
                f"(brake: {self.brake:.0%}). Nothing was sent. If that is meant, run it once with "
                f"allow_many_changes; if not, look at what happened to the table."
            )

    def _stop_at_an_empty_table(self, gone: Gone) -> None:
        living = int(self._known.living.sum())
        if not living or gone.rows or len(gone) < living:
            return
        found = f"{self.sync}: no row is left in the table of the {living:,} that were sent"
        if self.archive is None:
            self.log(f"{found}; their records stay as they are")
            return
        raise Brake(
            f"{found}. Nothing was archived, as a table is often empty only while it is filled anew. If that is meant, "
            f"run it once with allow_many_changes; if not, look at what happened to the table."
        )

    def gone(self, *, whole: bool) -> Iterator[Mapped]:
        """Archive records whose row is gone, where the sync says so."""
        if self.archive is None or not self._gone or not len(self._gone):
            return
        for part in self.ledger.record_parts(self.sync):
            rows = self._gone.take(part["key"])
            if len(rows):
                yield replace(NOTHING, ready=self._archiving(rows, self.archive))

    def _archiving(self, rows: pl.Series, field: str) -> pl.DataFrame:
        start = json.dumps({self.mapping.key: "", field: True}, separators=(",", ":"))
        before, after = start.split('""', 1)
        return pl.DataFrame({ROW: rows, "key": rows}).with_columns(
            body=pl.concat_str(
                pl.lit(before),
                pl.struct("key").struct.json_encode().str.extract(r'^\{"key":(.*)\}$'),
                pl.lit(after),
            ),
            hash=pl.lit(ARCHIVED, pl.UInt64),
        )

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        for part in ready.iter_slices(ITEMS_A_REQUEST):
            yield from self._parcels_by_size(part)

    def _parcels_by_size(self, part: pl.DataFrame) -> Iterator[Parcel]:
        if part["body"].str.len_bytes().sum() > BYTES_A_REQUEST and part.height > 1:
            half = part.height // 2
            yield from self._parcels_by_size(part[:half])
            yield from self._parcels_by_size(part[half:])
            return
        items = part.select("body", pl.col("key").alias(self.mapping.key))
        places = part[PLACE] if PLACE in part.columns else None
        yield Parcel(body_of(items), part.height, part[ROW], items, places, None, part["hash"].to_numpy())

    def send(self, parcel: Parcel) -> Receipt:
        self._sent = True
        items = parcel.frame if parcel.frame is not None else pl.DataFrame()
        outcome = deliver(self.planhat, self.mapping.model, items, parcel.body)
        refusals = [
            Refusal(
                (parcel.rows if parcel.places is None else parcel.places)[item],
                "planhat",
                "",
                reason,
                items[self.mapping.key][item],
                self.by_address,
            )
            for item, reason in outcome.refused.iter_rows()
        ]
        counts: dict[Verdict, int] = {
            "created": outcome.created,
            "updated": outcome.updated,
            "unchanged": outcome.unchanged,
            "refused": len(refusals),
        }
        return Receipt(counts, refusals, outcome.said if not refusals else ())

    def committed(self, claim: Claim) -> None:
        """Close what is open of rows of which nothing is left to say, and forget what is not known any more."""
        whole, lost = self._gone is not None and self._gone.whole, self._open.lost()
        if closed := self._open.closed(whole=whole):
            claim.resolve(closed)
        if answered := self._open.answered(whole=whole):
            claim.unpark(answered)
        if self._sent or lost:
            claim.sum_up(lost)
            del self._known
        del self._open
        self._sent = False

    def known(self, targets: Sequence[str]) -> set[str]:
        return (
            known_among(targets, self._companies, self.company_id) if self._companies is not None else set()
        )
