"""Whose value stays, field by field. Pure: frames in, frames out.

A side has moved when its value is not the base, on which both last agreed. That needs no stamps, so the echo of our own
writes moves nothing. Where a run was interrupted, what it was about to carry to the other side is known as well. If the
other side holds it by now, it is the base; if not, the side it came from has not moved by holding it. Where an edit on
top of it leaves open whether it had arrived, the edit stays: it may be the only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

Winner = Literal["snowflake", "planhat", "newest"]
Flow = Literal["to_planhat", "to_snowflake", "both"]

PUSH, FETCH = 1, 2
_NOBODY = 0
EMPTY = 0x6ECD59FC39242489
"""The fingerprint of no value."""


def decide(pairs: pl.DataFrame, flows: Sequence[Flow], on_conflict: Winner) -> pl.DataFrame:
    """Adds, for each field at place 0, 1 ... of `flows`: `d0` (PUSH: Snowflake's value goes to Planhat; FETCH: the
    other way; 0: nothing to do), `c0` (whether both sides had moved) and `n0` (the new base, null where nothing is
    known of the field).

    `pairs`: one row a record that has a row in Snowflake: `there` (whether Planhat has the record), `seen` (whether
    Planhat's values were read; those of others are as they were when both agreed), `newer` (whether Snowflake's row
    changed after the record; null: unknown), and for each field the fingerprints `s0` (Snowflake; null for a field
    that only comes back), `p0` (Planhat, where seen), `b0` (base), `i0` (what was about to be sent) and `j0` (what was
    about to be written back), null where there is none.
    """
    seen = pl.col("seen") & pl.col("there")
    based = pairs.with_columns(
        pl.when(seen & (pl.col(f"p{at}") == pl.col(f"i{at}")))
        .then(f"i{at}")
        .when(pl.col(f"s{at}") == pl.col(f"j{at}"))
        .then(f"j{at}")
        .otherwise(f"b{at}")
        .alias(f"b{at}")
        for at in range(len(flows))
    )
    decided = based.with_columns(
        column for at, flow in enumerate(flows) for column in _field(str(at), flow, on_conflict)
    )
    return decided.with_columns(
        pl.when(pl.col(f"d{at}") == FETCH)
        .then(f"p{at}")
        .otherwise(pl.lit(None) if flow == "to_snowflake" else pl.col(f"s{at}"))
        .alias(f"n{at}")
        for at, flow in enumerate(flows)
    )


def _field(at: str, flow: Flow, on_conflict: Winner) -> tuple[pl.Expr, pl.Expr]:
    s, p, b, i, j = (pl.col(side + at) for side in "spbij")
    nothing, push, fetch = (pl.lit(end, pl.Int8) for end in (_NOBODY, PUSH, FETCH))
    seen = pl.col("seen") & pl.col("there")
    never = pl.lit(False).alias(f"c{at}")
    if flow == "to_snowflake":
        return pl.when(seen & p.ne_missing(b)).then(fetch).otherwise(nothing).alias(f"d{at}"), never
    equal = seen & s.eq_missing(p)
    s_same = _is(s, b) | _is(s, i)
    p_same = ~seen | _is(p, b) | _is(p, j)
    owed = ~_is(s, b) | i.is_not_null()  # whether what was about to be sent has arrived is not known
    if flow == "to_planhat":
        return pl.when(~equal & owed).then(push).otherwise(nothing).alias(f"d{at}"), never
    unknown = b.is_null() & i.is_null() & j.is_null()
    clash = seen & ~equal & pl.when(unknown).then((s != EMPTY) & (p != EMPTY)).otherwise(~s_same & ~p_same)
    wins = (
        pl.when(pl.col("newer").fill_null(False)).then(push).otherwise(fetch)
        if on_conflict == "newest"
        else {"snowflake": push, "planhat": fetch}[on_conflict]
    )
    decision = (
        pl.when(~seen)
        .then(pl.when(owed).then(push).otherwise(nothing))
        .when(equal)
        .then(nothing)
        .when(clash)
        .then(wins)
        .when(unknown)
        .then(pl.when(s == EMPTY).then(fetch).otherwise(push))
        .when(s_same & p_same)
        .then(pl.when(_is(s, i)).then(push).otherwise(fetch))
        .when(s_same)
        .then(fetch)
        .otherwise(push)
    )
    return decision.alias(f"d{at}"), clash.fill_null(False).alias(f"c{at}")


def _is(value: pl.Expr, known: pl.Expr) -> pl.Expr:
    return (value == known).fill_null(False)
