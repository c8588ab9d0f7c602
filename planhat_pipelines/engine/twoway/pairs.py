"""Rows of Snowflake beside what is known of their records, decided field by field."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from planhat_pipelines.engine.twoway.decide import FETCH, PUSH, Winner, decide
from planhat_pipelines.engine.twoway.fields import GONE, ID, LEFT, Side
from planhat_pipelines.ledger import NewConflict


def remembered(
    rows: pl.DataFrame,
    bases: pl.DataFrame,
    sending: pl.DataFrame,
    writing: pl.DataFrame,
    fields: Sequence[Side],
) -> pl.DataFrame:
    """Rows (`key`, `w0` ..., `s0` ..., `changed_at`) with what the ledger knows of them: `k0` ..., GONE and ID of
    `bases`, `i0` ... and `j0` ... of what an interrupted run was sending and writing, and `known`."""
    known = _numbered(bases, "k", fields).with_columns(known=pl.lit(True))
    sending, writing = (
        _numbered(frame, side, fields).drop(GONE, ID) for frame, side in ((sending, "i"), (writing, "j"))
    )
    for other in (known, sending, writing):
        rows = rows.join(other, on="key", how="left", maintain_order="left")
    return rows


def beside(rows: pl.DataFrame, records: pl.DataFrame, *, by_company: bool) -> pl.DataFrame:
    """Rows with their records' `stamp`, `pid`, `v0` ..., `p0` ... and `seen`; what stood there before gives way where
    there is a record. `by_company`: a key means a record only among those of the row's company."""
    given = [name for name in records.columns if name in ("stamp", "pid") or re.fullmatch("[vp][0-9]+", name)]
    mine, other = (["key", "company_id"], ["key", "whose"]) if by_company else (["key"], ["key"])
    seen = records.select(*other, *given, seen=pl.lit(True))
    found = rows.join(
        seen,
        left_on=mine,
        right_on=other,
        how="left",
        maintain_order="left",
        suffix=" found",
        nulls_equal=True,
    )
    for name in (*given, "seen"):
        if f"{name} found" in found.columns:
            newer = pl.when(pl.col("seen found").is_not_null()).then(f"{name} found").otherwise(name)
            found = found.with_columns(newer.alias(name))
    return found.drop(pl.selectors.ends_with(" found")).with_columns(pl.col("seen").fill_null(False))


def decided(pairs: pl.DataFrame, fields: Sequence[Side], on_conflict: Winner, *, whole: bool) -> pl.DataFrame:
    """With the columns of `decide`, `push` and `fetch` (whether anything of the row goes that way) and `stranger`: its
    record is another one than that of which anything is known. `whole`: what was not seen is not there."""
    places = range(len(fields))
    stranger = (pl.col("seen") & (pl.col(ID) != pl.col("pid"))).fill_null(False) | (pl.col(GONE) == LEFT)
    is_known = pl.col("known").fill_null(False) & (pl.col(GONE).fill_null(0) == 0)
    pairs = pairs.with_columns(stranger.fill_null(False).alias("stranger")).with_columns(
        pl.when(~pl.col("stranger")).then(f"{side}{at}").alias(f"{name}{at}")
        for at in places
        for side, name in (("k", "b"), ("i", "i"), ("j", "j"))
    )
    pairs = pairs.with_columns(
        there=pl.col("seen") | (is_known & pl.lit(not whole)), newer=pl.col("changed_at") > pl.col("stamp")
    )
    found = decide(pairs, [each.flow for each in fields], on_conflict)
    ways = {"push": PUSH, "fetch": FETCH}
    return found.with_columns(
        pl.any_horizontal(pl.col(f"d{at}") == way for at in places).alias(name) for name, way in ways.items()
    )


def agreed(pairs: pl.DataFrame, fields: Sequence[Side], way: int | None) -> pl.DataFrame:
    """New bases: of the fields that go one way (PUSH, FETCH), or with None of those that are equal on both sides, or
    turned out to have arrived, and were not known to be so. `key`, and per field its fingerprint or null."""
    columns: list[pl.Expr] = []
    for at, each in enumerate(fields):
        new, decision = pl.col(f"n{at}"), pl.col(f"d{at}")
        if way is None:
            equal = (decision == 0) & pl.col("seen") & new.eq_missing(pl.col(f"p{at}"))
            new = pl.when(equal & pl.lit(each.flow != "to_snowflake")).then(new).otherwise(f"b{at}")
            tells = new.ne_missing(pl.when(~pl.col("stranger")).then(f"k{at}"))
        elif way == PUSH:  # a record that is not there is made whole
            tells = (decision == PUSH) | (~pl.col("there") & pl.lit(each.flow != "to_snowflake"))
        else:
            tells = decision == FETCH
        columns.append(pl.when(tells).then(new).alias(each.label))
    back = (pl.col(GONE) == LEFT) & (pl.col("push") if way == PUSH else pl.lit(way is None) & pl.col("seen"))
    columns.append(pl.when(back).then(pl.lit(0, pl.UInt64)).alias(GONE))
    return pairs.select("key", *columns)


def arrived(records: pl.DataFrame, sending: pl.DataFrame, fields: Sequence[Side]) -> pl.DataFrame:
    """What an interrupted run was sending and Planhat has by now, also of rows of which nothing can be decided."""
    both = records.join(_numbered(sending, "i", fields), on="key", how="inner").unique("key", keep="none")
    return both.select(
        "key",
        *(
            pl.when(pl.col(f"p{at}") == pl.col(f"i{at}")).then(f"i{at}").alias(each.label)
            for at, each in enumerate(fields)
        ),
    )


def yielding(pairs: pl.DataFrame, fields: Sequence[Side]) -> pl.DataFrame:
    """Of fields in which both sides differ and no base tells why, the fingerprint of the value that gives way: it is
    what the other value is carried on top of, should the run be interrupted."""
    columns: list[pl.Expr] = []
    for at, each in enumerate(fields):
        loser = pl.when(pl.col(f"d{at}") == FETCH).then(f"s{at}").otherwise(f"p{at}")
        tells = (pl.col(f"d{at}") != 0) & pl.col("seen") & pl.lit(each.flow == "both")
        columns.append(pl.when(tells & loser.ne_missing(pl.col(f"b{at}"))).then(loser).alias(each.label))
    return pairs.select("key", *columns)


def identified(pairs: pl.DataFrame) -> pl.DataFrame:
    """Which record each key means, where that was not known. Told at the end of a run: until then Planhat is asked for
    the record whenever its row changes."""
    new = pairs.filter(pl.col("seen") & pl.col("pid").ne_missing(pl.col(ID)))
    return new.select("key", pl.col("pid").alias(ID))


def conflicts(pairs: pl.DataFrame, fields: Sequence[Side], on_conflict: Winner) -> list[NewConflict]:
    """Fields that both sides changed, or may have, with both values, for people."""
    changed, met = (
        f"both sides changed it (on_conflict: {on_conflict})",
        "the sides differed when they first met",
    )
    found: list[NewConflict] = []
    for at, each in enumerate(fields):
        unknown = pl.all_horizontal(pl.col(f"{side}{at}").is_null() for side in "bij")
        clash = pairs.filter(f"c{at}").select("key", f"d{at}", f"w{at}", f"v{at}", unknown.alias("new"))
        found += [
            NewConflict(
                key,
                each.label,
                "planhat" if way == FETCH else "snowflake",
                ours,
                theirs,
                met if new else changed,
            )
            for key, way, ours, theirs, new in clash.iter_rows()
        ]
    return found


def moved(records: pl.DataFrame, bases: pl.DataFrame, fields: Sequence[Side]) -> pl.DataFrame:
    """Records of which a field that comes back to Snowflake is not what both sides agreed on, or which are others."""
    places = [at for at, each in enumerate(fields) if each.flow != "to_planhat"]
    both = records.join(_numbered(bases, "b", fields), on="key", how="left", maintain_order="left")
    other = (pl.col(ID) != pl.col("pid")).fill_null(False)
    return both.filter(
        pl.any_horizontal(other, *(pl.col(f"p{at}").ne_missing(pl.col(f"b{at}")) for at in places))
    )


def _numbered(frame: pl.DataFrame, side: str, fields: Sequence[Side]) -> pl.DataFrame:
    return frame.rename({each.label: f"{side}{at}" for at, each in enumerate(fields)})
