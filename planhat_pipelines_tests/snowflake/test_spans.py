"""Spans are a set of whole numbers, only shorter."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from planhat_pipelines.snowflake.spans import Spans

KEYS = st.sets(st.integers(-30, 30))
FAR = st.sets(st.integers(-(2**62), 2**62), max_size=5)


def spans(keys: set[int]) -> Spans:
    return Spans.covering(pl.Series(sorted(keys, key=hash), dtype=pl.Int64))


def members(spans: Spans, among: set[int]) -> set[int]:
    asked = sorted(among)
    return {
        key for key, held in zip(asked, spans.holds(pl.Series(asked, dtype=pl.Int64)), strict=True) if held
    }


def tight(spans: Spans) -> bool:
    """Sorted, apart from each other, none empty."""
    pairs = spans.to_json()
    return all(first <= last for first, last in pairs) and all(
        one[1] + 1 < other[0] for one, other in pairwise(pairs)
    )


@given(KEYS, KEYS)
def test_spans_hold_the_keys_they_cover_and_no_other(keys: set[int], others: set[int]) -> None:
    assert members(spans(keys), keys | others | set(range(-32, 33))) == keys
    assert tight(spans(keys))


@given(KEYS | FAR, KEYS | FAR)
def test_and_also_is_the_union(one: set[int], other: set[int]) -> None:
    both = spans(one).and_also(spans(other))
    assert members(both, one | other | set(range(-32, 33))) == one | other
    assert tight(both)


@given(KEYS, st.integers(-32, 32))
def test_above_leaves_what_is_above(keys: set[int], low: int) -> None:
    assert members(spans(keys).above(low), set(range(-32, 33))) == {key for key in keys if key > low}


@given(KEYS | FAR)
def test_spans_survive_the_ledger(keys: set[int]) -> None:
    again = Spans.of(spans(keys).to_json())
    assert again.frame.equals(spans(keys).frame)
    assert members(again, keys) == keys
