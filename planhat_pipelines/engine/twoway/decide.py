"""Whose value stays, field by field. Pure: frames in, frames out.

A side has moved when its value is not the base, on which both last agreed. That needs no stamps, so the echo of our own
writes moves nothing. Where a run was interrupted, what it was about to carry to the other side is known as well. If the
other side holds it by now, it is the base; if not, the side it came from has not moved by holding it. Where an edit on
top of it leaves open whether it had arrived, the edit stays, as it may be the only one, and the other value is kept as
one that lost. (Only an edit back to the very value from before the interrupted run is not told from one that never
arrived.)
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
    other way; 0: nothing to do), `c0` (whether both sides had moved, or may have) and `n0` (the new base, null where
    nothing is known of the field). `b0` becomes the base as it turned out to be.

    `pairs`: one row a record that has a row in Snowflake: `there` (whether Planhat has the record), `seen` (whether
    Planhat's values were read; those of others are as they were when both agreed), `newer` (whether Snowflake's row
    changed after the record; null: unknown), and for each field the fingerprints `s0` (Snowflake; null for a field
    that only comes back), `p0` (Planhat, where seen), `b0` (base), `i0` (what was about to be sent) and `j0` (what was
    about to be written back), null where there is none. Where something was about to be carried and there is no base,
    the other side had neither record nor row.
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
    sending, writing = i.is_not_null(), j.is_not_null()
    never = pl.lit(False).alias(f"c{at}")
    if flow == "to_snowflake":
        comes = seen & (p.ne_missing(b) | writing)
        return pl.when(comes).then(fetch).otherwise(nothing).alias(f"d{at}"), never
    equal = seen & s.eq_missing(p)
    owed = ~_is(s, b) | sending  # whether what was about to be sent has arrived is not known
    if flow == "to_planhat":
        return pl.when(~equal & owed).then(push).otherwise(nothing).alias(f"d{at}"), never
    unknown = b.is_null() & ~sending & ~writing
    base = pl.when(b.is_null() & ~unknown).then(pl.lit(EMPTY, pl.UInt64)).otherwise(b)
    s_moved, p_moved = ~_is(s, base) & ~_is(s, i), ~_is(p, base) & ~_is(p, j)
    s_carried, p_carried = ~_is(s, base) & _is(s, i), ~_is(p, base) & _is(p, j)
    unsent, unwritten = sending & ~_is(i, base), writing & ~_is(j, base)
    wins = (
        pl.when(pl.col("newer").fill_null(False)).then(push).otherwise(fetch)
        if on_conflict == "newest"
        else {"snowflake": push, "planhat": fetch}[on_conflict]
    )
    both = pl.when(unknown).then((s != EMPTY) & (p != EMPTY))
    both = both.otherwise((s_moved & p_moved) | (s_carried & p_carried))
    maybe = ~unknown & ((p_moved & ~s_moved & unsent) | (s_moved & ~p_moved & unwritten))
    decision = (
        pl.when(~seen)
        .then(pl.when(owed).then(push).otherwise(nothing))
        .when(equal)
        .then(nothing)
        .when(both)
        .then(wins)
        .when(unknown)
        .then(pl.when(s == EMPTY).then(fetch).otherwise(push))
        .when(s_moved)
        .then(push)
        .when(p_moved)
        .then(fetch)
        .otherwise(pl.when(s_carried).then(push).otherwise(fetch))
    )
    return decision.alias(f"d{at}"), (seen & ~equal & (both | maybe)).fill_null(False).alias(f"c{at}")


def _is(value: pl.Expr, known: pl.Expr) -> pl.Expr:
    return (value == known).fill_null(False)
