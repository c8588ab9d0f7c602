"""What was decided is carried to the other side, Planhat first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import polars as pl

from planhat_pipelines.engine.again import is_again
from planhat_pipelines.engine.destinations.held import Held
from planhat_pipelines.engine.twoway.back import WriteBack
from planhat_pipelines.engine.twoway.decide import EMPTY, FETCH
from planhat_pipelines.engine.twoway.fields import GONE, ID, LEFT
from planhat_pipelines.engine.twoway.pairs import agreed, arrived, conflicts, decided, identified, yielding
from planhat_pipelines.engine.twoway.push import Push
from planhat_pipelines.engine.twoway.round import Round, joined
from planhat_pipelines.mapping.records import NOTHING
from planhat_pipelines.snowflake.records import WAS

PAUSE = 5.0  # seconds after which Planhat is asked once more before anything is sent


@dataclass
class Carry:
    """The second half of a run. `since`: the stamp of the look at Planhat.

    A record that a person edits between that look and our request is overwritten in the same fields, as Planhat takes
    no conditions. The look is repeated if it is some seconds old; what is left is the time of a few requests.
    """

    look: Round
    since: str | None

    def __post_init__(self) -> None:
        look, sync = self.look, self.look.sync
        self._push = Push(look.claim, sync.destination, sync.fields, look.report.sent)
        self._back = WriteBack(
            look.claim,
            sync.target,
            sync.fields,
            look.report.back,
            look.log,
            sync.company_column,
            guarded=sync.source is not None,
        )

    def carry(self) -> None:
        """Send and write what was decided."""
        look, met = self.look, list[pl.DataFrame]()
        look.stop_if_too_much()
        self._agree(arrived(look.theirs, look.sending, look.sync.fields))
        with Held() as back:
            for pairs in self._sent():
                back.put(replace(NOTHING, ready=self._to_write(pairs.filter("fetch"))))
                met.append(identified(pairs))
            self._write_back(mapped.ready for mapped in back)
        self._mark()
        self._leave()
        self._agree(pl.concat([*met, self._same()]).unique("key", keep="first"))
        self._close()

    def _sent(self) -> Iterator[pl.DataFrame]:
        """The pairs with something to do, after Planhat was told its part."""
        look, sync, claim = self.look, self.look.sync, self.look.claim
        slow = look.pushes and time.monotonic() - look.began > PAUSE
        newer = sync.records.again(self.since) if slow else None
        for held, values in look.pairs():
            pairs = look.look_again(held, newer)
            pairs = decided(pairs, sync.fields, sync.on_conflict, whole=look.whole)
            look.close(pairs)
            claim.forget_bases(pairs.filter("stranger")["key"])
            found = conflicts(pairs, sync.fields, sync.on_conflict)
            look.report.conflicts += found
            claim.conflict(found)  # before the losing value is overwritten
            self._agree(agreed(pairs, sync.fields, None))
            self._agree(yielding(pairs, sync.fields))
            self._push.deliver(self._push.ready(pairs.filter("push"), values))
            yield pairs

    def _agree(self, bases: pl.DataFrame) -> None:
        telling = bases.filter(pl.any_horizontal(pl.exclude("key").is_not_null()))
        if telling.height:
            self.look.claim.agree(telling)

    def _same(self) -> pl.DataFrame:
        """Which records those are that have bases, or got a row now, and were seen."""
        new = self._without_a_row()
        made = new.filter(~new.is_in(sorted(self._back.refused))).to_frame("key")
        known = pl.concat([self.look.bases.select("key", ID), made], how="diagonal")
        seen = self.look.theirs.select("key", "pid").join(known, on="key", how="inner")
        return seen.filter(pl.col(ID).is_null()).select("key", pl.col("pid").alias(ID))

    # -- into Snowflake

    def _write_back(self, pieces: Iterator[pl.DataFrame]) -> None:
        look, report = self.look, self.look.report.back
        carried = [look.theirs["key"].clear()]
        new = self._as_rows(self._without_a_row() if look.sync.source else look.moved)

        def counted() -> Iterator[pl.DataFrame]:
            for rows in chain(pieces, [new]):
                carried.append(rows["key"])
                report.rows_read += rows.height
                yield rows

        self._back.write(counted())
        others = look.theirs.join(joined(carried).to_frame(), on="key", how="anti").height
        report.rows_read += others
        report.count({"unchanged": others})

    def _without_a_row(self) -> pl.Series:
        """Keys of records that never had a row, where they are to get one."""
        look = self.look
        if not look.sync.insert_new:
            return look.moved.clear()
        new = look.theirs.join(look.bases, on="key", how="anti")["key"]
        met = joined([*look.found, *look.left, look.shared])
        return new.filter(~new.is_in(met.implode()))

    def _as_rows(self, keys: pl.Series) -> pl.DataFrame:
        """Whole records as rows to write: those that get one, or in a mirror those that are not as the table has them.
        What is only sent is empty in a new row, and must not empty the record."""
        sync = self.look.sync
        rows = self.look.theirs.join(keys.to_frame("key"), on="key", how="semi")
        rows = rows.unique("key", keep="none", maintain_order=True)
        company = pl.lit(None, pl.String).alias("company")
        if sync.companies is not None:
            named = sync.companies.select(pl.col("_id").alias("whose"), company="key")
            rows, company = rows.join(named, on="whose", how="left", maintain_order="left"), pl.col("company")
        ways, bases = list[pl.Expr](), list[pl.Expr]()
        for at, each in enumerate(sync.fields):
            goes, empty = each.flow != "to_planhat", pl.lit(EMPTY, pl.UInt64)
            base = pl.col(f"p{at}")
            if not goes and not (each.label == sync.records.model.company_field and sync.company_column):
                base = empty
            elif not goes:
                base = pl.when(company.is_not_null()).then(base).otherwise(empty)
            ways.append(pl.lit(FETCH if goes else 0, pl.Int8).alias(f"d{at}"))
            bases.append(base.alias(f"n{at}"))
        return self._to_write(
            rows.with_columns(company, *ways, *bases, pl.lit(None, pl.String).alias(WAS)), new=True
        )

    def _to_write(self, rows: pl.DataFrame, *, new: bool = False) -> pl.DataFrame:
        """`key`, WAS, `company`, and of each field whether, what and what base. Of a row that is there, only what comes
        back has a base."""
        columns: list[pl.Expr] = []
        for at, each in enumerate(self.look.sync.fields):
            base = pl.col(f"n{at}") if new or each.flow != "to_planhat" else pl.lit(None, pl.UInt64)
            columns += [
                pl.col(f"d{at}").cast(pl.Int8),
                pl.col(f"v{at}"),
                base.cast(pl.UInt64).alias(f"n{at}"),
            ]
        company = pl.col("company") if new else pl.lit(None, pl.String).alias("company")
        return rows.select("key", WAS, company, *columns)

    def _mark(self) -> None:
        """Records that Planhat no longer has, and those that are back."""
        look, sync = self.look, self.look.sync
        made = joined(self._push.delivered)
        gone = look.vanished().filter(~pl.col("key").is_in(made.implode()) & pl.lit(look.whole))
        back = look.bases.filter(pl.col(GONE) == 1).join(look.theirs, on="key", how="semi")
        if sync.target.gone and gone.height:
            marked = sync.target.mark_gone(gone["key"].to_list())
            look.log(f"{sync.name}: {marked:,} rows were marked, as their records are gone from Planhat")
        if sync.target.gone and back.height:
            sync.target.write(back.select(pl.col("key").alias(sync.target.row)))
        for keys, state in ((gone, 1), (back, 0)):
            self._agree(keys.select("key", pl.lit(state, pl.UInt64).alias(GONE)))

    def _leave(self) -> None:
        """Rows that are in the table no longer: nothing holds of them, but that they are not to be made anew."""
        left = joined(self.look.left)
        self.look.claim.forget_bases(left)
        if self.look.sync.insert_new:
            self._agree(left.to_frame("key").with_columns(pl.lit(LEFT, pl.UInt64).alias(GONE)))

    def _close(self) -> None:
        """Close what was open of rows of which nothing is left to say. A value that Planhat had and the table could
        not hold stays open until both sides are seen to be equal, or the record is gone."""
        look = self.look
        left, listed = look.among_open(joined(look.left)), look.among_open(look.listed)
        closed = {
            row
            for row, each in look.rejected.items()
            if row in left
            or (each.stage == "match" and (row in listed or look.whole))
            or row in (look.equal if each.stage == "write" else look.quiet)
            or (each.stage == "write" and look.whole and row not in listed)
        }
        look.claim.resolve(sorted(closed - set(look.shared) - self._back.refused))
        gone = left | look.quiet
        look.claim.unpark([each.row for each in look.parked if each.row in gone or is_again(each)])
