"""One look at both sides: what was found, what was decided, and what has to be carried where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.deliver import rejections
from planhat_pipelines.engine.protocols import Brake, Refusal
from planhat_pipelines.engine.twoway.back import WriteBack
from planhat_pipelines.engine.twoway.decide import EMPTY, FETCH
from planhat_pipelines.engine.twoway.fields import GONE, ours, theirs
from planhat_pipelines.engine.twoway.pairs import agreed, conflicts, decided, lost, moved, paired
from planhat_pipelines.engine.twoway.push import Push
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines.ledger import Claim, NewParked
from planhat_pipelines.mapping.columns import ROW, instant
from planhat_pipelines.mapping.records import COPIES
from planhat_pipelines.mapping.targets import Mapped, known_among
from planhat_pipelines.mapping.values import Value
from planhat_pipelines.planhat.changes import Changes

if TYPE_CHECKING:
    from planhat_pipelines.engine.twoway.sync import TwoWaySync

_FEW = 100  # a brake is for mass changes


@dataclass
class Round:
    """The working memory of one run. Nothing is sent or written before `carry`."""

    sync: TwoWaySync
    claim: Claim
    report: TwoWayReport
    log: Callable[[str], None]
    bases: pl.DataFrame
    sending: pl.DataFrame  # by a run that was interrupted
    writing: pl.DataFrame
    changes: Changes
    _found: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of rows that are in the table
    _left: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of rows that are in it no longer
    _pairs: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])  # with something to do
    _pushes: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    _quiet: list[pl.Series] = field(default_factory=list[pl.Series])  # rows of which nothing is left to say

    def __post_init__(self) -> None:
        sync = self.sync
        self._push = Push(self.claim, sync.destination, sync.fields, self.report.sent)
        self._rejected = {each.row: each.stage for each in sync.ledger.rejections(sync.name)}
        self._parked = sync.ledger.parked(sync.name)
        self._theirs = theirs(self._by_key(), sync.fields)
        self._moved = moved(self._theirs, self.bases, sync.fields)["key"]
        self._back = WriteBack(
            self.claim, sync.target, sync.fields, self.report.back, self.log, sync.company_column
        )

    def _by_key(self) -> pl.DataFrame:
        """Planhat's records by key. Which of several with the same key a row means, nobody can tell."""
        keyed = _keyed(self.changes.records, self.sync.records.key)
        shared = keyed.filter(pl.len().over("key") > 1)["key"].unique(maintain_order=True)
        reason = "several records of Planhat have this key"
        refusals = [Refusal(key, "match", self.sync.records.key, reason, key) for key in shared]
        self.claim.reject(rejections(refusals))
        self.report.back.refuse(refusals)
        self.report.back.rows_read += len(refusals)
        self.report.back.count({"refused": len(refusals)})
        return keyed.filter(~pl.col("key").is_in(shared.implode()))

    # -- looking

    def due(self, *, whole: bool) -> set[str]:
        """Keys of rows that have to be looked at though they did not change. `whole`: all rows were looked at."""
        targets = [each.target for each in self._parked]
        companies = self.sync.companies if targets else None
        known = (
            known_among(targets, companies, self.sync.destination.company_id)
            if companies is not None
            else set[str]()
        )
        self.claim.tried([each.row for each in self._parked if each.target not in known])
        if whole:
            return set()
        waiting = {each.row for each in self._parked if each.target in known}
        return (waiting | set(self._moved) | set(self.sending["key"]) | set(self.writing["key"])) - set(
            _joined(self._found)
        )

    def look_at(self, rows: pl.DataFrame) -> None:
        """Decide rows of the table: ROW, COPIES and the mapped columns."""
        self.report.sent.rows_read += rows.height
        left, there = rows.filter(pl.col(COPIES) == 0)[ROW], rows.filter(pl.col(COPIES) > 0)
        self._left.append(left)
        self.report.sent.count({"unchanged": left.len()})
        if not there.height:
            return
        self._found.append(there[ROW].drop_nulls())
        mapped, values = self.sync.destination.mapping.computed(there, self.sync.companies)
        self._record(mapped)
        if mapped.ready.height:
            self._decide(self._ours(mapped.ready, there, values), values)

    def _record(self, mapped: Mapped) -> None:
        """Write down what cannot go, and what waits for its company."""
        refused = mapped.refused.select(ROW, "key", "field", "reason").iter_rows()
        refusals = [Refusal(row, "map", label, reason, key) for row, key, label, reason in refused]
        self.claim.reject(rejections(refusals))
        self.claim.unpark([each.row for each in refusals])
        self.report.sent.refuse(refusals)
        kind = self.sync.destination.company_id
        waiting = mapped.parked.select(ROW, "target").iter_rows()
        self.claim.park([NewParked(row, "company", kind, target) for row, target in waiting])
        self.report.sent.count({"refused": len(refusals), "parked": mapped.parked.height})

    def _ours(self, ready: pl.DataFrame, rows: pl.DataFrame, values: Sequence[Value]) -> pl.DataFrame:
        changed_at = pl.lit(None, pl.String)
        if self.sync.updated_at:
            at, _ = instant(self.sync.updated_at, rows.schema, "UTC")
            changed_at = at.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        times = rows.select(pl.col(ROW), changed_at=changed_at)
        return ours(ready.join(times, on=ROW, how="left", maintain_order="left"), values, self.sync.fields)

    def _decide(self, rows: pl.DataFrame, values: Sequence[Value]) -> None:
        fields = self.sync.fields
        records, bases = self._with_those_asked_for(rows)
        pairs = decided(
            paired(rows, records, bases, self.sending, self.writing, fields), fields, self.sync.on_conflict
        )
        self.report.conflicts += conflicts(pairs, fields, self.sync.on_conflict)
        pushed = pairs.filter("push")
        self._pushes.append(self._push.ready(pushed, values))
        self._quiet.append(pairs.filter(~pl.col("push"))["key"])
        self.report.sent.count({"unchanged": pairs.height - pushed.height})
        kept = ["key", "there", "push", "fetch", "seen"]
        self._pairs.append(
            pairs.select(*kept, *(f"{name}{at}" for at in range(len(fields)) for name in "vspbkdnc"))
        )

    def _with_those_asked_for(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Planhat's records and the bases, once Planhat was asked for records that are new to the sync, or of which
        something is open: an edit of theirs may have been read before, and not carried."""
        if self.changes.whole:
            return self._theirs, self.bases
        new = rows.join(self.bases, on="key", how="anti")["key"]
        open_ = {each.row for each in self._parked} | set(self._rejected)
        unsure = (set(new) | (set(rows["key"]) & open_)) - set(self._theirs["key"])
        if not unsure:
            return self._theirs, self.bases
        asked = theirs(_keyed(self.sync.records.these(unsure), self.sync.records.key), self.sync.fields)
        absent = pl.DataFrame({"key": sorted(unsure)}).join(asked, on="key", how="anti")
        records = pl.concat([self._theirs, asked], how="diagonal_relaxed")
        return records.unique("key", keep="first"), self.bases.join(absent, on="key", how="anti")

    # -- carrying

    def carry(self) -> None:
        """Send and write what was decided, Planhat first."""
        fields, claim = self.sync.fields, self.claim
        self._stop_if_too_much()
        claim.conflict(self.report.conflicts)  # before the losing value is overwritten
        for pairs in self._pairs:
            self._agree(agreed(pairs, fields, None))
            self._agree(lost(pairs, fields))
        for ready in _pieces(self._pushes):
            self._push.deliver(ready)
        self._write_back()
        self._mark()
        self.claim.forget_bases(_joined(self._left))
        self._close()

    def _agree(self, bases: pl.DataFrame) -> None:
        telling = bases.filter(pl.any_horizontal(pl.exclude("key").is_not_null()))
        if telling.height:
            self.claim.agree(telling)

    def _write_back(self) -> None:
        sync, report = self.sync, self.report.back
        rows = [self._to_write(pairs.filter("fetch")) for pairs in self._pairs]
        if sync.source is None:
            rows.append(self._to_write(self._as_rows(self._moved)))
        elif sync.insert_new:
            new = self._without_a_row()
            rows.append(self._to_write(self._as_rows(new)))
            # What is only sent is empty in a new row, and must not empty the record.
            empty = {
                each.label: pl.lit(EMPTY, pl.UInt64) for each in sync.fields if each.flow == "to_planhat"
            }
            if empty and new.len():
                self._agree(new.to_frame("key").with_columns(**empty))
        fetched = pl.concat(rows) if rows else self._to_write(self._theirs.clear())
        others = self._theirs.join(fetched, on="key", how="anti").height
        report.rows_read += fetched.height + others
        report.count({"unchanged": others})
        self._back.write(fetched)

    def _without_a_row(self) -> pl.Series:
        """Records that never had a row."""
        new = self._theirs.join(self.bases, on="key", how="anti")["key"]
        return new.filter(~new.is_in(_joined(self._found).implode()))

    def _as_rows(self, keys: pl.Series) -> pl.DataFrame:
        """Whole records as rows to write."""
        rows, fields = self._theirs.join(keys.to_frame("key"), on="key", how="semi"), self.sync.fields
        company = self.sync.records.model.company_field
        if company and self.sync.companies is not None:
            named = self.sync.companies.select(pl.col("_id").alias(company), company="key")
            rows = rows.join(named, on=company, how="left", maintain_order="left")
        goes = [FETCH if each.flow != "to_planhat" else 0 for each in fields]
        return rows.with_columns(
            *(pl.lit(way, pl.Int8).alias(f"d{at}") for at, way in enumerate(goes)),
            *(pl.col(f"p{at}").alias(f"n{at}") for at in range(len(fields))),
        )

    def _to_write(self, rows: pl.DataFrame) -> pl.DataFrame:
        wanted = {
            f"{name}{at}": kind for at in range(len(self.sync.fields)) for name, kind in _WRITTEN.items()
        }
        wanted["company"] = pl.String
        return rows.select(
            "key",
            *(
                pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, kind).alias(name)
                for name, kind in wanted.items()
            ),
        )

    def _mark(self) -> None:
        """Records that Planhat no longer has, and those that are back."""
        if not self.changes.whole:
            return
        gone, back = (
            self._vanished(),
            self.bases.filter(pl.col(GONE) == 1).join(self._theirs, on="key", how="semi"),
        )
        if self.sync.target.gone:
            marked = self.sync.target.mark_gone(gone["key"].to_list())
            self.sync.target.write(back.select("key"))
            self.log(f"{self.sync.name}: {marked:,} rows were marked, as their records are gone from Planhat")
        for keys, state in ((gone, 1), (back, 0)):
            self._agree(keys.select("key", pl.lit(state, pl.UInt64).alias(GONE)))

    def _vanished(self) -> pl.DataFrame:
        held = _keyed(self.changes.records, self.sync.records.key)
        return self.bases.filter(pl.col(GONE).fill_null(0) == 0).join(held, on="key", how="anti")

    def _stop_if_too_much(self) -> None:
        if self.changes.whole and self.bases.height and not self.changes.records.height:
            raise Brake(
                f"{self.sync.name}: Planhat lists no {self.sync.records.model.title} any more, of "
                f"{self.bases.height:,} that were there. Nothing was sent or written. May the token still read them?"
            )
        if self.sync.brake is None or not self.bases.height:
            return
        most = max(_FEW, int(self.sync.brake * self.bases.height))
        pushed = sum(pairs.filter(pl.col("push") & pl.col("there")).height for pairs in self._pairs)
        fetched = sum(pairs["fetch"].sum() for pairs in self._pairs)
        gone = self._vanished().height if self.changes.whole and self.sync.target.gone else 0
        for many, what in (
            (pushed, "records in Planhat"),
            (fetched, "rows in Snowflake"),
            (gone, "rows as gone"),
        ):
            if many > most:
                raise Brake(
                    f"{self.sync.name}: this run would change {many:,} {what}, of {self.bases.height:,} that both "
                    f"sides know (brake: {self.sync.brake:.0%}, {most:,}). Nothing was sent or written. If that is "
                    "meant, run it once with allow_many_changes; if not, look at what happened to that side."
                )

    def _close(self) -> None:
        """Close what was open of rows of which nothing is left to say. A value that Planhat had and the table could
        not hold stays open until both sides are seen to be equal."""
        quiet = {row for row in _joined(self._quiet) if self._rejected.get(row, "write") != "write"}
        for pairs in self._pairs:
            equal = pairs.filter(pl.col("seen") & ~pl.col("fetch"))["key"]
            quiet.update(row for row in equal if self._rejected.get(row) == "write")
        self.claim.resolve(sorted(quiet - self._back.refused))
        done = set(_joined(self._quiet))
        self.claim.unpark([each.row for each in self._parked if each.row in done])


_WRITTEN: dict[str, type[pl.DataType]] = {"d": pl.Int8, "v": pl.String, "n": pl.UInt64}


def _keyed(records: pl.DataFrame, key: str) -> pl.DataFrame:
    return records.filter(pl.col(key).is_not_null()).with_columns(pl.col(key).alias("key"))


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    return (
        pl.concat([part.rename("key") for part in parts]) if parts else pl.Series("key", [], dtype=pl.String)
    )


def _pieces(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        if frame.height:
            yield frame
