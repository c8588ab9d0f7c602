"""Whose value stays, field by field. Pure: frames in, frames out.

A side has moved when its value is neither the base, on which both last agreed, nor what an interrupted run had
intended to make the new base. That needs no stamps, so the echo of our own writes moves nothing, and after a crash
nothing is guessed: whichever of the two values a side holds, it was not edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from planhat_pipelines.mapping.canonical import fingerprints

Winner = Literal["snowflake", "planhat", "newest"]
Flow = Literal["to_planhat", "to_snowflake", "both"]

PUSH, FETCH = 1, 2
_NOBODY = 0
EMPTY: int = fingerprints(pl.Series([None], dtype=pl.String)).item()


def decide(pairs: pl.DataFrame, flows: Sequence[Flow], on_conflict: Winner) -> pl.DataFrame:
    """Adds, for each field at place 0, 1 ... of `flows`: `d0` (PUSH: Snowflake's value goes to Planhat; FETCH: the
    other way; 0: nothing to do), `c0` (whether both sides had moved) and `n0` (the new base, null where nothing is
    known of the field).

    `pairs`: one row a record that has a row in Snowflake: `there` (whether Planhat has the record), `seen` (whether
    Planhat's values were read; those of others are as they were when both agreed), `newer` (whether Snowflake's row
    changed after the record; null: unknown), and for each field the fingerprints `s0` (Snowflake; null for a field
    that only comes back), `p0` (Planhat, where seen), `b0` (base) and `i0` (intended), null where there is none.
    """
    decided = pairs.with_columns(
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
    s, p, b, i = (pl.col(side + at) for side in "spbi")
    nothing, push, fetch = (pl.lit(end, pl.Int8) for end in (_NOBODY, PUSH, FETCH))
    seen = pl.col("seen") & pl.col("there")
    never = pl.lit(False).alias(f"c{at}")
    if flow == "to_snowflake":
        return pl.when(seen & p.ne_missing(b)).then(fetch).otherwise(nothing).alias(f"d{at}"), never
    equal = seen & s.eq_missing(p)
    unknown = b.is_null() & i.is_null()
    s_same = _is_one_of(s, b, i)
    doubtful = s_same & i.is_not_null()  # whether the interrupted run got through is not known
    missing = ~pl.col("there") & ~(s_same & i.is_null())
    if flow == "to_planhat":
        owed = missing | (pl.col("there") & ~equal & (~s_same | doubtful))
        return pl.when(owed).then(push).otherwise(nothing).alias(f"d{at}"), never
    p_same = ~seen | _is_one_of(p, b, i)
    met = seen & unknown  # both have the record, and never agreed on this field
    clash = seen & ~equal & pl.when(unknown).then((s != EMPTY) & (p != EMPTY)).otherwise(~s_same & ~p_same)
    wins = (
        pl.when(pl.col("newer").fill_null(False)).then(push).otherwise(fetch)
        if on_conflict == "newest"
        else {"snowflake": push, "planhat": fetch}[on_conflict]
    )
    decision = (
        pl.when(missing)
        .then(push)
        .when(~pl.col("there") | equal)
        .then(nothing)
        .when(clash)
        .then(wins)
        .when(met)
        .then(pl.when(s == EMPTY).then(fetch).otherwise(push))
        .when(s_same & p_same)  # of two values that nobody edited, the intended one is the newer
        .then(pl.when(s.eq(i).fill_null(False)).then(push).when(seen).then(fetch).otherwise(nothing))
        .when(s_same)
        .then(fetch)
        .otherwise(push)
    )
    return decision.alias(f"d{at}"), clash.fill_null(False).alias(f"c{at}")


def _is_one_of(value: pl.Expr, base: pl.Expr, intended: pl.Expr) -> pl.Expr:
    return (value == base).fill_null(False) | (value == intended).fill_null(False)
