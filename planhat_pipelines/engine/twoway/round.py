"""One look at both sides: what was found, what was decided, and what has to be carried where."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.again import is_again
from planhat_pipelines.engine.deliver import rejections
from planhat_pipelines.engine.destinations.held import Held
from planhat_pipelines.engine.protocols import Brake, Refusal
from planhat_pipelines.engine.twoway.back import MOVED
from planhat_pipelines.engine.twoway.fields import GONE, ID, LEFT, ours, theirs
from planhat_pipelines.engine.twoway.pairs import agreed, beside, decided, moved, remembered
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines.ledger import Claim, NewParked
from planhat_pipelines.mapping.columns import ROW, instant
from planhat_pipelines.mapping.records import COPIES, NOTHING
from planhat_pipelines.mapping.targets import Mapped, known_among
from planhat_pipelines.mapping.values import Value
from planhat_pipelines.snowflake.records import WAS

if TYPE_CHECKING:
    from planhat_pipelines.engine.twoway.sync import TwoWaySync

_FEW = 100  # a brake is for mass changes
_AT_ONCE = 20_000  # rows that are decided at a time
_OPEN = ("push", "fetch", "stranger")


@dataclass
class Round:
    """The working memory of one run. Nothing is sent or written here; what there is to do is held, on disk if it is
    much, and of all other rows only the key is kept."""

    sync: TwoWaySync
    claim: Claim
    report: TwoWayReport
    log: Callable[[str], None]
    bases: pl.DataFrame
    sending: pl.DataFrame  # by a run that was interrupted
    writing: pl.DataFrame
    whole: bool  # all records of Planhat were read
    held: Held
    began: float = field(default_factory=time.monotonic)
    found: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of rows that are in the table
    left: list[pl.Series] = field(default_factory=list[pl.Series])  # keys of rows that are in it no longer
    quiet: set[str] = field(default_factory=set[str])  # of open rows, those of which nothing is left to say
    equal: set[str] = field(default_factory=set[str])  # and those that are seen to be the same on both sides
    pushes: int = 0
    fetches: int = 0
    _values: list[Sequence[Value]] = field(default_factory=list[Sequence[Value]])

    def __post_init__(self) -> None:
        sync = self.sync
        self.rejected = {each.row: each for each in sync.ledger.rejections(sync.name)}
        self.parked = sync.ledger.parked(sync.name)
        self._open = pl.Series(sorted({*self.rejected, *(each.row for each in self.parked)}), dtype=pl.String)
        self.living = self.bases.filter(pl.col(GONE).fill_null(0) == 0).height

    def look_there(self, records: pl.DataFrame) -> None:
        """Take in Planhat's records. Which of several with the same key a row means, nobody can tell."""
        sync, found = self.sync, self._theirs(records)
        self.listed = found["key"]
        many = pl.len().over("key", *(["whose"] if sync.by_company else []))
        self.shared = found.filter(many > 1)["key"].unique(maintain_order=True)
        self.theirs = found.filter(many == 1)
        self.moved = moved(self.theirs, self.bases, sync.fields)["key"]
        if sync.source is None:  # a mirror's rows are as the bases say
            self.equal |= self.among_open(self.theirs["key"]) - set(self.moved)
        asked_for = [self.moved, self.sending["key"], self.writing["key"]]
        told = pl.col("key").is_in(
            pl.concat(asked_for).implode()
        )  # of all others the fingerprints are enough
        texts = [f"v{at}" for at in range(len(sync.fields))]
        self.theirs = self.theirs.with_columns(pl.when(told).then(name).alias(name) for name in texts)
        reason = "several records of Planhat have this key"
        refusals = [Refusal(key, "match", sync.records.key, reason, key) for key in self.shared]
        self.claim.reject(rejections(refusals))
        self.report.back.refuse(refusals)
        self.report.back.rows_read += len(refusals)
        self.report.back.count({"refused": len(refusals)})

    def _theirs(self, records: pl.DataFrame) -> pl.DataFrame:
        return theirs(records, self.sync.records.key, self.sync.fields, self.sync.records.model.company_field)

    def due(self, *, whole: bool) -> set[str]:
        """Keys of rows that have to be looked at though they did not change. `whole`: all rows were looked at."""
        targets = [each.target for each in self.parked]
        companies = self.sync.companies if targets else None
        known = (
            known_among(targets, companies, self.sync.destination.company_id)
            if companies is not None
            else set[str]()
        )
        self.claim.tried([each.row for each in self.parked if each.target not in known])
        if whole:
            return set()
        waiting = {each.row for each in self.parked if each.target in known or is_again(each)}
        listed = self.among_open(self.listed)  # of which the value may be another, or fit, by now
        again = {
            row
            for row, each in self.rejected.items()
            if self.whole or each.reason == MOVED or (each.stage == "write" and row in listed)
        }
        changed = pl.concat([self.moved, self.sending["key"], self.writing["key"]])
        return (waiting | again | set(changed)) - set(joined(self.found))

    def look_at(self, rows: pl.DataFrame) -> None:
        """Decide rows of the table: ROW, COPIES, WAS and the mapped columns."""
        self.report.sent.rows_read += rows.height
        left, there = rows.filter(pl.col(COPIES) == 0)[ROW], rows.filter(pl.col(COPIES) > 0)
        self.left.append(left)
        self.report.sent.count({"unchanged": left.len()})
        if not there.height:
            return
        self.found.append(there[ROW].drop_nulls())
        mapped, values = self.sync.destination.mapping.computed(there, self.sync.companies)
        self._record(mapped)
        if mapped.ready.height:
            self._decide(self._ours(mapped.ready, there, values), values)

    def all_were_looked_at(self) -> None:
        """Every row of the table was: one that is known and was not found has left it. A table that is empty may be
        about to be filled anew."""
        known = self.bases.filter(pl.col(GONE).fill_null(0) != LEFT)["key"]
        missing = known.filter(~known.is_in(joined([*self.found, *self.left]).implode()))
        if joined(self.found).len():
            self.left.append(missing)
        elif missing.len():
            self.log(
                f"{self.sync.name}: no row is left in the table of {missing.len():,}; nothing follows from it"
            )

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
        found = rows.select(ROW, WAS, changed_at=changed_at)
        return ours(ready.join(found, on=ROW, how="left", maintain_order="left"), values, self.sync.fields)

    def _decide(self, rows: pl.DataFrame, values: Sequence[Value]) -> None:
        """Some rows at a time, as what is known of a row is many times as large as the row."""
        records, bases = self._known_of(rows)
        open_: list[pl.DataFrame] = []
        for part in rows.iter_slices(_AT_ONCE):
            open_.append(self._open_of(part, records, bases))
            if sum(each.height for each in open_) >= _AT_ONCE:
                self._hold(open_, values)
                open_ = []
        if open_:
            self._hold(open_, values)

    def _hold(self, open_: Sequence[pl.DataFrame], values: Sequence[Value]) -> None:
        self.held.put(replace(NOTHING, ready=pl.concat(open_)))
        self._values.append(values)

    def _open_of(self, rows: pl.DataFrame, records: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
        """Those with something to do, beside what is known of them. Of all others the account is closed."""
        fields = self.sync.fields
        known = remembered(rows, bases, self.sending, self.writing, fields)
        pairs = beside(known, records, by_company=self.sync.by_company)
        judged = decided(pairs, fields, self.sync.on_conflict, whole=self.whole)
        tells = agreed(judged, fields, None).select(pl.any_horizontal(pl.exclude("key").is_not_null()))
        met = pl.col("seen") & pl.col("pid").ne_missing(pl.col(ID))
        open_ = judged.select(pl.any_horizontal(*_OPEN, met)).to_series() | tells.to_series()
        self.pushes += judged.filter(pl.col("push") & pl.col("there")).height
        self.fetches += judged.filter("fetch").height
        self.close(judged.filter(~open_))
        return pairs.filter(open_)

    def pairs(self) -> Iterator[tuple[pl.DataFrame, Sequence[Value]]]:
        """The rows with something to do, and what their fields became."""
        for mapped, values in zip(self.held, self._values, strict=True):
            yield mapped.ready, values

    def close(self, judged: pl.DataFrame) -> None:
        """Count rows that are not sent, and note which open ones are settled by that."""
        still = judged.filter(~pl.col("push"))
        self.report.sent.count({"unchanged": still.height})
        self.quiet |= self.among_open(still["key"])
        self.equal |= self.among_open(judged.filter(pl.col("seen") & ~pl.col("fetch"))["key"])

    def among_open(self, keys: pl.Series) -> set[str]:
        """Those of which something was refused or parked when the run began."""
        return set(keys.filter(keys.is_in(self._open.implode()))) if self._open.len() else set()

    def _known_of(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Planhat's records and the bases of these rows, once Planhat was asked for records of which nothing is known
        or something is open, or that are in another company by now: an edit of theirs may have been read before, and
        not carried."""
        fields, same = self.sync.fields, (["key", "whose"] if self.sync.by_company else ["key"])
        company = pl.col("company_id") if self.sync.by_company else pl.lit(None, pl.String)
        mine = rows.select(
            "key", company.alias("whose"), pl.col("^s[0-9]+$")
        )  # far fewer than there are, as a rule
        theirs, bases = (each.join(mine, on="key", how="semi") for each in (self.theirs, self.bases))
        if self.whole:
            return theirs, bases
        known = mine.join(bases, on="key", how="left", maintain_order="left")
        elsewhere = [
            pl.col(each.label) != pl.col(f"s{at}")
            for at, each in enumerate(fields)
            if self.sync.by_company and each.label == self.sync.records.model.company_field
        ]
        ask = pl.any_horizontal(pl.col(ID).is_null(), pl.col("key").is_in(self._open.implode()), *elsewhere)
        unsure = known.filter(ask.fill_null(False)).select("key", "whose")
        unsure = unsure.join(theirs, on=same, how="anti", nulls_equal=True)
        if not unsure.height:
            return theirs, bases
        companies = unsure["whose"].drop_nulls() if self.sync.by_company else ()
        asked = self._theirs(self.sync.records.these(set(unsure["key"]), companies))
        absent = unsure.join(asked, on=same, how="anti", nulls_equal=True)
        found = pl.concat([theirs, asked.join(theirs, on=same, how="anti", nulls_equal=True)])
        return found.unique(same, keep="none"), bases.join(absent, on="key", how="anti")

    def look_again(self, pairs: pl.DataFrame, newer: pl.DataFrame | None) -> pl.DataFrame:
        """Rows beside what changed in Planhat while we were reading."""
        if newer is None or not newer.height:
            return pairs
        return beside(pairs, self._theirs(newer), by_company=self.sync.by_company)

    def vanished(self) -> pl.DataFrame:
        """What is known of records that Planhat no longer lists."""
        living = self.bases.filter(pl.col(GONE).fill_null(0) == 0)
        return living.join(self.listed.to_frame(), on="key", how="anti")

    def stop_if_too_much(self) -> None:
        """Raise Brake if more would change than the sync allows."""
        sync, living = self.sync, self.living
        if self.whole and living and not self.listed.len():
            raise Brake(
                f"{sync.name}: Planhat lists no {sync.records.model.title} any more, of "
                f"{living:,} that were there. Nothing was sent or written. May the token still read them?"
            )
        if sync.brake is None or not living:
            return
        most = max(_FEW, int(sync.brake * living))
        gone = self.vanished().height if self.whole and sync.target.gone else 0
        for many, what in (
            (self.pushes, "records in Planhat"),
            (self.fetches, "rows in Snowflake"),
            (gone, "rows as gone"),
        ):
            if many > most:
                raise Brake(
                    f"{sync.name}: this run would change {many:,} {what}, of {living:,} that both "
                    f"sides know (brake: {sync.brake:.0%}, {most:,}). Nothing was sent or written. If that is "
                    "meant, run it once with allow_many_changes; if not, look at what happened to that side."
                )


def joined(parts: Sequence[pl.Series]) -> pl.Series:
    """Keys as one series."""
    return (
        pl.concat([part.rename("key") for part in parts]) if parts else pl.Series("key", [], dtype=pl.String)
    )
