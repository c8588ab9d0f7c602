"""Rows of Snowflake beside what is known of their records, decided field by field."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from planhat_pipelines.engine.twoway.decide import FETCH, PUSH, Winner, decide
from planhat_pipelines.engine.twoway.fields import GONE, Side
from planhat_pipelines.ledger import NewConflict


def paired(
    rows: pl.DataFrame,
    records: pl.DataFrame,
    bases: pl.DataFrame,
    sending: pl.DataFrame,
    writing: pl.DataFrame,
    fields: Sequence[Side],
) -> pl.DataFrame:
    """Rows (`key`, `w0` ..., `s0` ..., `changed_at`) with `stamp`, `v0` ..., `p0` ... of `records`; `b0` ... of
    `bases`, kept as `k0` ... too; `i0` ... and `j0` ... of what an interrupted run was sending and writing; and `seen`,
    `there`, `newer` as `decide` takes them."""
    places = range(len(fields))
    seen = records.select(
        "key", "stamp", *(f"{side}{at}" for at in places for side in "vp"), seen=pl.lit(True)
    )
    known = _numbered(bases, "b", fields).with_columns(known=pl.lit(True))
    sending, writing = (
        _numbered(frame, side, fields).drop(GONE) for frame, side in ((sending, "i"), (writing, "j"))
    )
    pairs = rows
    for other in (seen, known, sending, writing):
        pairs = pairs.join(other, on="key", how="left", maintain_order="left")
    is_seen = pl.col("seen").fill_null(False)
    is_known = pl.col("known").fill_null(False) & (pl.col(GONE).fill_null(0) == 0)
    return pairs.with_columns(
        *(pl.col(f"b{at}").alias(f"k{at}") for at in places),
        seen=is_seen,
        there=is_seen | is_known,
        newer=pl.col("changed_at") > pl.col("stamp"),
    )


def decided(pairs: pl.DataFrame, fields: Sequence[Side], on_conflict: Winner) -> pl.DataFrame:
    """With the columns of `decide`, and `push` and `fetch`: whether anything of the row goes that way."""
    found = decide(pairs, [each.flow for each in fields], on_conflict)
    ways = {"push": PUSH, "fetch": FETCH}
    return found.with_columns(
        pl.any_horizontal(pl.col(f"d{at}") == way for at in range(len(fields))).alias(name)
        for name, way in ways.items()
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
            tells = new.ne_missing(pl.col(f"k{at}"))
        elif way == PUSH:  # a record that is not there is made whole
            tells = (decision == PUSH) | (~pl.col("there") & pl.lit(each.flow != "to_snowflake"))
        else:
            tells = decision == FETCH
        columns.append(pl.when(tells).then(new).alias(each.label))
    return pairs.select("key", *columns)


def lost(pairs: pl.DataFrame, fields: Sequence[Side]) -> pl.DataFrame:
    """Of fields that both sides changed, the fingerprint of the value that lost: what it is overwritten from."""
    return pairs.filter(pl.any_horizontal(pl.col(f"c{at}") for at in range(len(fields)))).select(
        "key",
        *(
            pl.when(f"c{at}")
            .then(pl.when(pl.col(f"d{at}") == FETCH).then(f"s{at}").otherwise(f"p{at}"))
            .alias(each.label)
            for at, each in enumerate(fields)
        ),
    )


def conflicts(pairs: pl.DataFrame, fields: Sequence[Side], on_conflict: Winner) -> list[NewConflict]:
    """The same with both values, for people."""
    changed, met = (
        f"both sides changed it (on_conflict: {on_conflict})",
        "the sides differed when they first met",
    )
    found: list[NewConflict] = []
    for at, each in enumerate(fields):
        clash = pairs.filter(f"c{at}").select("key", f"d{at}", f"w{at}", f"v{at}", pl.col(f"b{at}").is_null())
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
    """Records of which a field that comes back to Snowflake is not what both sides agreed on."""
    places = [at for at, each in enumerate(fields) if each.flow != "to_planhat"]
    both = records.join(_numbered(bases, "b", fields), on="key", how="left", maintain_order="left")
    return both.filter(pl.any_horizontal(pl.col(f"p{at}").ne_missing(pl.col(f"b{at}")) for at in places))


def _numbered(frame: pl.DataFrame, side: str, fields: Sequence[Side]) -> pl.DataFrame:
    return frame.rename({each.label: f"{side}{at}" for at, each in enumerate(fields)})
