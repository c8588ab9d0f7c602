"""Records as a destination: upserts by key, only of what changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import polars as pl

from planhat_pipelines.engine.protocols import Brake, Destination, Parcel, Receipt, Refusal, Verdict
from planhat_pipelines.ledger import Claim, Ledger, Parked, Rejection
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import COPIES, PLACE, RecordsMapping
from planhat_pipelines.mapping.targets import Mapped, known_among, known_targets
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.delivery import body_of, deliver
from planhat_pipelines.planhat.lookups import targets

ITEMS_A_REQUEST = 5_000  # Planhat developers, bulk upsert
BYTES_A_REQUEST = 30_000_000  # of the 32 MB Planhat takes
_FEW = 100  # a brake is for mass changes
_STILL = "refused before by Planhat, and unchanged since"
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
    log: Callable[[str], None] = lambda _: None
    _there: list[pl.Series] = field(
        default_factory=list[pl.Series]
    )  # of the window: keys of rows that are there
    _left: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of rows that are gone
    _quiet: list[pl.Series] = field(default_factory=list[pl.Series])  # rows of which nothing is left to say
    _waiting: list[pl.Series] = field(default_factory=list[pl.Series])  # rows that were parked
    _misfits: list[pl.Series] = field(default_factory=list[pl.Series])  # rows that the mapping refused

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
        """Rows that Planhat refused when it was last told of them, and its words."""
        rows = [
            (each.row, each.reason if each.reason.startswith(_STILL) else f"{_STILL}: {each.reason}")
            for each in self.ledger.rejections(self.sync)
            if each.stage == "planhat" or each.reason.startswith(_STILL)
        ]
        return pl.DataFrame(rows, schema={ROW: pl.String, "reason": pl.String}, orient="row")

    @cached_property
    def _companies(self) -> pl.DataFrame | None:
        if self.mapping.company is None:
            return None
        return known_targets(targets(self.planhat, model("company")), self.company_id)

    def map(self, rows: pl.DataFrame) -> Mapped:
        """Rows that say what Planhat was told before are not sent; if it refused them then, they stay refused."""
        there = rows.filter(pl.col(COPIES) > 0)
        left = rows.filter(pl.col(COPIES) == 0)[ROW]
        to_archive = self._archivable(left)
        mapped = self.mapping.apply(there, self._companies)
        told = self._told(mapped.ready)
        same = (pl.col("hash") == pl.col("told")).fill_null(False)
        again = told.filter(same).join(self._refused, on=ROW, maintain_order="left")
        still = again.select(ROW, "key", pl.lit("").alias("field"), "reason")
        unchanged = told.filter(same).join(self._refused, on=ROW, how="anti")[ROW]
        quiet = pl.concat([unchanged, left.filter(~left.is_in(to_archive.implode()))])
        self._there.append(there[ROW].drop_nulls())
        self._left.append(left)
        self._quiet.append(quiet)
        self._waiting.append(mapped.parked[ROW])
        self._misfits.append(mapped.refused[ROW])
        return replace(
            mapped,
            ready=told.filter(~same),
            refused=pl.concat([mapped.refused, still]) if still.height else mapped.refused,
            unchanged=quiet.len(),
        )

    def _told(self, ready: pl.DataFrame) -> pl.DataFrame:
        """What Planhat was told of each row, as `told`. A row that comes in a drop after it was refused is meant to be
        tried again, so of that nothing counts as told."""
        told = ready.join(self._known, on="key", how="left", maintain_order="left")
        if PLACE not in ready.columns:
            return told
        refused = [each.key for each in self.ledger.rejections(self.sync) if each.stage == "planhat"]
        return told.with_columns(told=pl.when(~pl.col("key").is_in(refused)).then("told"))

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
        # What an earlier run sent of this very window is not mapped again, but it is there.
        self._there, self._left = [answered[ROW]] if answered is not None else [], []
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
        self._stop_at_an_empty_table(whole=whole)
        self._stop_above(most, self._to_archive(whole=whole).len(), "archive")
        yield from held

    def _stop_above(self, most: int, many: int, what: str) -> None:
        if many > most:
            raise Brake(
                f"{self.sync}: this run would {what} more than {most:,} of {self._known.height:,} known records "
                f"(brake: {self.brake:.0%}). Nothing was sent. If that is meant, run it once with "
                f"allow_many_changes; if not, look at what happened to the table."
            )

    def _stop_at_an_empty_table(self, *, whole: bool) -> None:
        living = self._known.filter(pl.col("told") != _ARCHIVED).height
        if not living or self._gone(whole=whole).len() < living or sum(map(len, self._there)):
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
        rows = self._to_archive(whole=whole)
        if not rows.len():
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
        return self._archivable(self._gone(whole=whole))

    def _gone(self, *, whole: bool) -> pl.Series:
        """Known records that are not archived and have no row any more."""
        living = self._known.filter(pl.col("told") != _ARCHIVED)["key"].rename(ROW)
        return _others(living, _joined(self._there)) if whole else _among(living, _joined(self._left))

    def _archivable(self, rows: pl.Series) -> pl.Series:
        """Those of the rows whose record is to be archived and is not archived yet."""
        if self.archive is None:
            return rows.clear()
        return _among(self._known.filter(pl.col("told") != _ARCHIVED)["key"].rename(ROW), rows)

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
        items = parcel.frame if parcel.frame is not None else pl.DataFrame()
        outcome = deliver(self.planhat, self.mapping.model, items, parcel.body)
        refusals = [
            Refusal(
                (parcel.rows if parcel.places is None else parcel.places)[item],
                "planhat",
                "",
                reason,
                items[self.mapping.key][item],
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
        """Sum up what Planhat was told, and close what is open of rows of which nothing is left to say."""
        quiet, waiting, misfits = _joined(self._quiet), _joined(self._waiting), _joined(self._misfits)
        claim.resolve(_among(_rows(self.ledger.rejections(self.sync)), _others(quiet, misfits)))
        answered = _others(_joined([*self._there, *self._left]), waiting)
        claim.unpark(_among(_rows(self.ledger.parked(self.sync)), answered))
        # Of a row that Planhat refused and that then stopped to fit, nothing is known when it fits again.
        lost = _among(self._refused[ROW], misfits)
        told = self.ledger.records(self.sync).filter(~pl.col("key").is_in(lost.implode()))
        if lost.len() or not told.equals(self._known.rename({"told": "hash"})):
            claim.remember(told)
            del self._known
        del self._refused
        self._quiet, self._waiting, self._misfits = [], [], []

    def known(self, targets: Sequence[str]) -> set[str]:
        return (
            known_among(targets, self._companies, self.company_id) if self._companies is not None else set()
        )


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    return pl.concat(parts).rename(ROW) if parts else pl.Series(ROW, [], dtype=pl.String)


def _rows(open_rows: Sequence[Parked | Rejection]) -> pl.Series:
    return pl.Series(ROW, [each.row for each in open_rows], dtype=pl.String)


def _among(rows: pl.Series, others: pl.Series) -> pl.Series:
    return rows.to_frame(ROW).join(others.to_frame(ROW), on=ROW, how="semi", maintain_order="left")[ROW]


def _others(rows: pl.Series, others: pl.Series) -> pl.Series:
    return rows.to_frame(ROW).join(others.to_frame(ROW), on=ROW, how="anti", maintain_order="left")[ROW]
