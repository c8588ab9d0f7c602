"""Whatever the rows hold, each ends in exactly one place, and what is sent is what they say."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.mapping.activities import ActivitiesMapping
from planhat_pipelines.mapping.addresses import hidden, masked, private
from planhat_pipelines.mapping.columns import ROW, Cell, MappingError
from planhat_pipelines.mapping.encode import activity_body, metric_body
from planhat_pipelines.mapping.metrics import MetricsMapping
from planhat_pipelines.mapping.targets import Mapped, TargetCell, known_among
from planhat_pipelines_tests.mapping.rows import frames, known, records

METRICS = MetricsMapping(
    TargetCell(Cell("target"), "company", "external"),
    Cell("day"),
    "Europe/Stockholm",
    [("a", Cell("number")), ("b", Cell("text"))],
)
ACTIVITIES = ActivitiesMapping(
    TargetCell(Cell("target"), "enduser", "external"),
    Cell("text"),
    Cell("day"),
    "Europe/Stockholm",
    Cell("number"),
    {"said": Cell("text"), 'odd "name"': Cell("number")},
)


def whole(mapped: Mapped, rows: pl.DataFrame) -> None:
    ends = [mapped.ready[ROW], mapped.refused[ROW], mapped.parked[ROW]]
    assert sorted(key for end in ends for key in end) == sorted(rows[ROW])
    assert mapped.ready[ROW].to_list() == [key for key in rows[ROW] if key in set(mapped.ready[ROW])]
    assert mapped.refused["reason"].null_count() == mapped.refused["field"].null_count() == 0
    assert mapped.parked["target"].null_count() == 0


@settings(max_examples=60, deadline=None)
@given(frames())
def test_every_row_of_metrics_is_ready_refused_or_parked_and_its_points_survive_encoding(
    rows: pl.DataFrame,
) -> None:
    mapped = METRICS.apply(rows, known())
    whole(mapped, rows)
    points = METRICS.points(mapped.ready, "Company")
    assert set(points[ROW]) == set(mapped.ready[ROW])
    sent = json.loads(metric_body(points))
    assert len(sent) == points.height
    source = {row[ROW]: row for row in rows.iter_rows(named=True)}
    for item, row in zip(sent, points[ROW], strict=True):
        assert math.isfinite(item["value"])
        if item["dimensionId"] == "a":
            assert item["value"] == source[row]["number"]
        else:
            assert item["value"] == float(source[row]["text"])
        assert item["externalId"] == source[row]["target"].strip() in ("c-1", "c-2")
        assert date.fromisoformat(item["date"]) in (date(2026, 1, 1), date(2026, 1, 2))


@settings(max_examples=60, deadline=None)
@given(frames())
def test_every_row_of_activities_is_ready_refused_or_parked_and_survives_encoding(rows: pl.DataFrame) -> None:
    mapped = ACTIVITIES.apply(rows, known())
    whole(mapped, rows)
    sent = json.loads(activity_body(mapped.ready))
    source = {row[ROW]: row for row in rows.iter_rows(named=True)}
    assert len(sent) == mapped.ready.height
    for item, row in zip(sent, mapped.ready[ROW], strict=True):
        assert item["action"].strip() == source[row]["text"].strip()
        assert item["info"]["said"] == source[row]["text"]
        assert item["date"].endswith("Z")
        assert item.get("weight") == source[row]["number"]


@settings(max_examples=25, deadline=None)
@given(frames(), st.integers(1, 5))
def test_mapping_a_frame_in_pieces_gives_the_same_as_mapping_it_whole(rows: pl.DataFrame, size: int) -> None:
    at_once = METRICS.apply(rows, known())
    pieces = [METRICS.apply(piece, known()) for piece in rows.iter_slices(size)]
    for end in ("ready", "refused", "parked"):
        parts = [getattr(piece, end) for piece in pieces]
        if parts:
            assert pl.concat(parts).equals(getattr(at_once, end))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.emails()), max_size=8))
def test_addresses_become_hashes_that_are_the_same_at_all_times(addresses: list[str | None]) -> None:
    keys = pl.Series("key", addresses, dtype=pl.String)
    kept = private(keys, "email")
    assert kept.name == "key"
    assert kept.is_null().to_list() == keys.is_null().to_list()
    assert not any("@" in key for key in kept.drop_nulls())
    assert kept.n_unique() == keys.n_unique()
    assert private(keys.reverse(), "email").equals(kept.reverse())
    assert private(keys, "external").equals(keys)


def test_the_hash_of_an_address_is_the_same_in_every_release() -> None:
    assert private(pl.Series(["ada@example.com"]), "email").to_list() == [GOLDEN]
    assert known_among([GOLDEN, "email#0000000000000000"], known("email"), "email") == set()
    assert hidden("ada@example.com") == GOLDEN
    held = known("email").with_columns(key=pl.lit("ada@example.com"))
    assert known_among([GOLDEN], held, "email") == {GOLDEN}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.com", "a…@example.com"),
        ("@x.io", "…@x.io"),
        ("no address", "…"),
        ("a@b@x.io", "a…@x.io"),
    ],
)
def test_people_see_of_an_address_where_it_belongs_and_how_it_begins(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_a_column_that_is_missing_or_of_a_hopeless_type_stops_before_any_row() -> None:
    rows = frames_of_one()
    with pytest.raises(MappingError, match="no column day"):
        METRICS.apply(rows.drop("day"), known())
    with pytest.raises(MappingError, match="expected a number, found Date"):
        METRICS.apply(rows.with_columns(number=pl.lit(date(2026, 1, 1))), known())
    with pytest.raises(MappingError, match="expected a date, found Float64"):
        METRICS.apply(rows.with_columns(day=pl.lit(1.0)), known())


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.Int64, pl.UInt64, pl.Float32, pl.Float64, pl.Decimal(38, 0), pl.String]
)
def test_numbers_arrive_the_same_whatever_type_snowflake_narrowed_them_to(kind: pl.DataType) -> None:
    rows = frames_of_one().with_columns(number=pl.lit(41).cast(kind), target=pl.lit("c-1"))
    points = METRICS.points(METRICS.apply(rows, known()).ready, "Company")
    assert points["value"].to_list() == [41.0]


def frames_of_one() -> pl.DataFrame:
    return pl.DataFrame(
        {ROW: ["1"], "target": ["c-1"], "day": ["2026-01-01"], "number": [1.0], "text": [None]}
    ).cast({"text": pl.String})


def test_ambiguous_and_unaddressable_records_are_refused_with_the_reason() -> None:
    rows = pl.concat([frames_of_one()] * 3).with_columns(
        pl.Series(ROW, ["1", "2", "3"]), target=pl.Series(["twice", "c-1", ""])
    )
    mapped = METRICS.apply(rows, known())
    reasons = dict(mapped.refused.select(ROW, "reason").iter_rows())
    assert "more than one company" in reasons["1"]
    assert "names no company" in reasons["3"]
    by_source = MetricsMapping(
        TargetCell(Cell("target"), "company", "source"), METRICS.date, "UTC", METRICS.values
    )
    mapped = by_source.apply(rows.with_columns(target=pl.lit("no-external")), known("source"))
    assert all("no external id" in reason for reason in mapped.refused["reason"])
    assert records().height == 5


@settings(max_examples=30, deadline=None)
@given(st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_every_day_of_the_calendar_survives_encoding(day: date) -> None:
    number = (day - date(1970, 1, 1)).days
    points = pl.DataFrame(
        {"dimension": ["a"], "model": ["Company"], "target": ["c"], "day": [number], "value": [1.0]}
    )
    (item,) = json.loads(metric_body(points))
    assert date(1970, 1, 1) + timedelta(days=number) == date.fromisoformat(item["date"])
    assert np.isfinite(item["value"])


GOLDEN = "email#b5fc85e55755f9e0"
