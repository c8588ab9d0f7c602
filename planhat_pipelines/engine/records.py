"""Records as a destination: upserts by key, only of what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import polars as pl

from planhat_pipelines.engine.protocols import Brake, Destination, Parcel, Receipt, Refusal, Verdict
from planhat_pipelines.ledger import Claim, Ledger
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import COPIES, RecordsMapping
from planhat_pipelines.mapping.targets import Mapped, known_among, known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.delivery import body_of, deliver
from planhat_pipelines.planhat.lookups import targets

ITEMS_A_REQUEST = 5_000  # Planhat developers, bulk upsert
BYTES_A_REQUEST = 30_000_000  # of the 32 MB Planhat takes
_FEW = 100  # a brake is for mass changes
_ARCHIVED = 0  # in place of a fingerprint: Planhat was told to archive the record


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
    _seen: list[pl.Series] = field(default_factory=list[pl.Series])
    _left: list[pl.Series] = field(default_factory=list[pl.Series])

    @property
    def model(self) -> str:
        return "company"

    @property
    def id_kind(self) -> str:
        return self.company_id

    @property
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        return "resend"

    @cached_property
    def _known(self) -> pl.DataFrame:
        return self.ledger.records(self.sync).rename({"hash": "told"})

    @cached_property
    def _refused(self) -> pl.DataFrame:
        rows = [each.row for each in self.ledger.rejections(self.sync) if each.stage == "planhat"]
        return pl.DataFrame({ROW: rows}, schema={ROW: pl.String})

    @cached_property
    def _companies(self) -> pl.DataFrame | None:
        if self.mapping.company is None:
            return None
        return known_targets(targets(self.planhat, model("company")), self.company_id)

    def map(self, rows: pl.DataFrame) -> Mapped:
        """Rows that say what Planhat was told before are not sent; if it refused them then, they stay refused."""
        there = rows.filter(pl.col(COPIES) > 0)
        self._seen.append(rows[ROW].drop_nulls())
        left = rows.filter(pl.col(COPIES) == 0)[ROW]
        to_archive = self._archivable(left).len()
        self._left.append(left)
        mapped = self.mapping.apply(there, self._companies)
        told = mapped.ready.join(self._known, on="key", how="left", maintain_order="left")
        same = (pl.col("hash") == pl.col("told")).fill_null(False)
        again = told.filter(same).join(self._refused, on=ROW, how="semi", maintain_order="left")
        still = again.select(
            ROW, "key", field=pl.lit(""), reason=pl.lit("refused before by Planhat, and unchanged since")
        )
        return replace(
            mapped,
            ready=told.filter(~same),
            refused=pl.concat([mapped.refused, still]) if still.height else mapped.refused,
            unchanged=told.height - told.filter(~same).height - still.height + left.len() - to_archive,
        )

    def gate(self, mapped: Iterator[Mapped], *, whole: bool) -> Iterator[Mapped]:
        """Hold a window back until it is clear that it does not change too many records."""
        if self.brake is None or not self._known.height:
            yield from mapped
            return
        most = max(_FEW, int(self.brake * self._known.height))
        held: list[Mapped] = []
        changed = 0
        for each in mapped:
            held.append(each)
            changed += each.ready.filter(pl.col("told").is_not_null()).height
            self._stop_above(most, changed, "change")
        self._stop_above(most, self._to_archive(whole=whole).len(), "archive")
        yield from held

    def _stop_above(self, most: int, many: int, what: str) -> None:
        if many > most:
            raise Brake(
                f"{self.sync}: this run would {what} more than {most:,} of {self._known.height:,} known records "
                f"(brake: {self.brake:.0%}). Nothing was sent. If that is meant, run it once with "
                f"allow_many_changes; if not, look at what happened to the table."
            )

    def gone(self, *, whole: bool) -> Iterator[Mapped]:
        """Archive records whose row is gone, where the sync says so. Never after an empty reading."""
        rows = self._to_archive(whole=whole)
        self._seen, self._left = [], []
        if self.archive is None or not rows.len():
            return
        start = json.dumps({self.mapping.key: "", self.archive: True}, separators=(",", ":"))
        before, after = start.split('""', 1)
        ready = pl.DataFrame({ROW: rows, "key": rows}).with_columns(
            body=pl.concat_str(
                pl.lit(before),
                pl.struct("key").struct.json_encode().str.extract(r'^\{"key":(.*)\}$'),
                pl.lit(after),
            ),
            hash=pl.lit(_ARCHIVED, pl.UInt64),
        )
        nothing = pl.DataFrame(
            schema={ROW: pl.String, "key": pl.String, "field": pl.String, "reason": pl.String}
        )
        yield Mapped(ready, nothing, pl.DataFrame(schema={ROW: pl.String, "target": pl.String}))

    def _to_archive(self, *, whole: bool) -> pl.Series:
        if not whole:
            return self._archivable(
                pl.concat(self._left) if self._left else pl.Series(ROW, [], dtype=pl.String)
            )
        seen = (
            pl.concat(self._seen).to_frame("key") if self._seen else pl.DataFrame(schema={"key": pl.String})
        )
        return self._archivable(
            self._known.join(seen, on="key", how="anti")["key"] if seen.height else seen["key"]
        )

    def _archivable(self, rows: pl.Series) -> pl.Series:
        """Those of the rows whose record is to be archived and is not archived yet."""
        known = self._known.filter((pl.col("told") != _ARCHIVED) & (self.archive is not None)).select("key")
        return rows.to_frame("key").join(known, on="key", how="semi")["key"].rename(ROW)

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
        yield Parcel(body_of(items), part.height, part[ROW], items, part["hash"].to_numpy())

    def send(self, parcel: Parcel) -> Receipt:
        items = parcel.frame if parcel.frame is not None else pl.DataFrame()
        outcome = deliver(self.planhat, self.mapping.model, items, parcel.body)
        refusals = [
            Refusal(parcel.rows[item], "planhat", "", reason, items[self.mapping.key][item])
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
        """Sum up what Planhat was told."""
        told = self.ledger.records(self.sync)
        if not told.equals(self._known.rename({"told": "hash"})):
            claim.remember(told)
            del self._known

    def known(self, targets: Sequence[str]) -> set[str]:
        return (
            known_among(targets, self._companies, self.company_id) if self._companies is not None else set()
        )
