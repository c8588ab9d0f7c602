"""What was told of each record is found again, whatever order and however often it came."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.engine.destinations import held as held_rows
from planhat_pipelines.engine.destinations.held import Held
from planhat_pipelines.engine.destinations.known import ARCHIVED, Gone, Known
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import Mapped

KEYS = st.text(max_size=2)
PARTS = st.lists(st.dictionaries(KEYS, st.integers(0, 2**64 - 1) | st.just(ARCHIVED), max_size=5), max_size=4)


def known(parts: list[dict[str, int]]) -> Known:
    schema = {"key": pl.String, "hash": pl.UInt64}
    return Known.of(pl.DataFrame(list(part.items()), schema=schema, orient="row") for part in parts)


def texts(keys: list[str]) -> pl.Series:
    return pl.Series(keys, dtype=pl.String)


@settings(max_examples=40, deadline=None)
@given(parts=PARTS, keys=st.lists(KEYS, max_size=6))
def test_the_last_thing_told_of_a_record_counts(parts: list[dict[str, int]], keys: list[str]) -> None:
    last = {key: told for part in parts for key, told in part.items()}
    found = known(parts)
    assert len(found) == len(last)
    assert found.told_of(texts(keys)).to_list() == [last.get(key) for key in keys]
    assert found.living.sum() == sum(told != ARCHIVED for told in last.values())


@settings(max_examples=40, deadline=None)
@given(parts=PARTS, there=st.lists(KEYS, unique=True), left=st.lists(KEYS, unique=True))
def test_a_record_is_gone_when_its_row_is_not_in_the_whole_table_or_is_said_to_be_gone(
    parts: list[dict[str, int]], there: list[str], left: list[str]
) -> None:
    last = {key: told for part in parts for key, told in part.items()}
    living = {key for key, told in last.items() if told != ARCHIVED}
    for whole, expected in ((True, living.difference(there)), (False, living.intersection(left))):
        gone = Gone(known(parts), whole=whole, which=True)
        gone.there(texts(there))
        if not whole:
            assert gone.left(texts(left)).to_list() == [key in living for key in left]
        assert (gone.rows, len(gone)) == (len(there), len(expected))
        taken = [key for part in parts for key in gone.take(texts(list(part)))]
        assert sorted(taken) == sorted(expected)
        assert len(gone) == 0


@pytest.mark.parametrize("in_memory", [1, 1_000, 32_000_000])
def test_what_is_held_back_comes_out_as_it_went_in_on_disk_or_not(
    monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(held_rows, "_IN_MEMORY", in_memory)

    def mapped(number: int, rows: int) -> Mapped:
        ready = pl.DataFrame({ROW: [f"k{n}" for n in range(rows)]}, schema={ROW: pl.String})
        refused = ready.select(ROW, pl.lit("is empty").alias("reason"))
        return Mapped(ready, refused, ready.select(ROW, pl.lit(None, pl.UInt64).alias("target")), number, 2)

    with Held() as held:
        for number, rows in enumerate((0, 3, 2_000, 1)):
            held.put(mapped(number, rows))
        for number, (found, rows) in enumerate(zip(held, (0, 3, 2_000, 1), strict=True)):
            expected = mapped(number, rows)
            assert (found.unchanged, found.recovered) == (number, 2)
            assert found.ready.equals(expected.ready)
            assert found.refused.equals(expected.refused)
            assert found.parked.equals(expected.parked)
            assert found.parked.schema == expected.parked.schema
