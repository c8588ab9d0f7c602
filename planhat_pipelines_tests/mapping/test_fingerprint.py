"""Fingerprints outlive releases and machines: the ledger compares those of today with those of last year."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.mapping.fingerprint import point_fingerprints

NAMES = st.text(min_size=1, max_size=6)
MODELS = st.sampled_from(["Company", "Asset"])
VALUES = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.lists(
    st.tuples(NAMES, MODELS, NAMES, st.integers(-(2**31), 2**31 - 1), VALUES), min_size=1, max_size=12
)


def frame(points: list[tuple[str, str, str, int, float]]) -> pl.DataFrame:
    types = {
        "dimension": pl.String,
        "model": pl.String,
        "target": pl.String,
        "day": pl.Int64,
        "value": pl.Float64,
    }
    return pl.DataFrame(points, schema=types, orient="row")


def test_fingerprints_are_those_of_every_release() -> None:
    points = [
        ("active_seats", "Company", "c-1", 20_454, 41.0),
        ("active_seats", "Company", "Größe 漢字", -1, -0.5),
        ("x", "EndUser", "", 0, 0.0),
    ]
    assert [f"{each:016x}" for each in point_fingerprints(frame(points))] == GOLDEN


@settings(max_examples=40, deadline=None)
@given(POINTS, st.integers(1, 4))
def test_a_point_has_one_fingerprint_however_its_frame_is_cut_or_typed(
    points: list[tuple[str, str, str, int, float]], size: int
) -> None:
    one = frame(points)
    whole = point_fingerprints(one).tolist()
    assert [each for piece in one.iter_slices(size) for each in point_fingerprints(piece).tolist()] == whole
    chunked = pl.concat([one.slice(0, 1), one.slice(1)], rechunk=False)
    assert point_fingerprints(chunked).tolist() == whole
    narrow = one.cast({"day": pl.Int32, "model": pl.Categorical}).cast({"model": pl.String})
    assert point_fingerprints(narrow).tolist() == whole
    assert point_fingerprints(one.reverse()).tolist() == whole[::-1]


@settings(max_examples=40, deadline=None)
@given(POINTS)
def test_different_points_have_different_fingerprints(points: list[tuple[str, str, str, int, float]]) -> None:
    distinct = {
        (*point[:4], point[4] + 0.0) for point in points if not any("\x1f" in name for name in point[:3])
    }
    assert len(set(point_fingerprints(frame(list(distinct))).tolist())) == len(distinct)


@pytest.mark.parametrize("at", range(5))
def test_every_part_of_a_point_counts(at: int) -> None:
    one: list[object] = ["a", "Company", "c", 1, 2.0]
    other = list(one)
    other[at] = {0: "b", 1: "Asset", 2: "d", 3: 2, 4: 3.0}[at]
    first, second = point_fingerprints(frame([tuple(one), tuple(other)]))  # type: ignore[list-item]
    assert first != second


def test_both_zeros_are_one_value() -> None:
    first, second = point_fingerprints(frame([("a", "Company", "c", 1, 0.0), ("a", "Company", "c", 1, -0.0)]))
    assert first == second


GOLDEN = ["7874e90fd97bc552", "94000205def389a5", "00c750932353f161"]
