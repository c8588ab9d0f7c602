"""What the engine relies on, for each destination of usage rows: the same requests from the same rows, none split."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planhat_pipelines.engine.destinations import activities, metrics
from planhat_pipelines.engine.destinations.activities import ActivitiesDestination
from planhat_pipelines.engine.destinations.metrics import MetricsDestination
from planhat_pipelines.engine.syncs.usage import activities_mapping, metrics_mapping
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.e2e.test_kills import endusers

METRICS = {
    "target": {"model": "enduser", "column": "A"},
    "date": "D",
    "values": [{"metric": "one", "column": "V"}, {"metric": "two", "column": "W"}],
}
ACTIVITIES = {"enduser": {"column": "A"}, "action": "D", "date": "D", "weight": "V"}


@pytest.fixture(params=["metrics", "activities"])
def destination(
    request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MetricsDestination | ActivitiesDestination]:
    monkeypatch.setattr(metrics, "POINTS_A_REQUEST", 5)
    monkeypatch.setattr(activities, "ACTIVITIES_A_REQUEST", 3)
    endusers(place, "u-1", "u-2")
    with place.client() as client:
        if request.param == "metrics":
            spec = place.spec(metrics=METRICS)
            assert spec.metrics
            yield MetricsDestination(client, metrics_mapping(spec.metrics))
        else:
            spec = place.spec(activities=ACTIVITIES)
            assert spec.activities
            yield ActivitiesDestination(client, activities_mapping(spec.activities))


ROWS = st.lists(
    st.tuples(st.sampled_from(["u-1", "u-2", "u-9", None]), st.one_of(st.none(), st.integers(0, 3))),
    max_size=25,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_the_same_rows_give_the_same_requests_and_no_row_is_split_or_lost(
    destination: MetricsDestination | ActivitiesDestination, rows: list[tuple[str | None, int | None]]
) -> None:
    frame = pl.DataFrame(
        {
            ROW: [str(at) for at in range(len(rows))],
            "A": [row[0] for row in rows],
            "D": ["2026-01-01"] * len(rows),
            "V": [row[1] for row in rows],
            "W": [1.0] * len(rows),
        },
        schema={ROW: pl.String, "A": pl.String, "D": pl.String, "V": pl.Float64, "W": pl.Float64},
    )
    mapped = destination.map(frame)
    assert mapped.ready.height + mapped.refused.height + mapped.parked.height == frame.height
    parcels, again = (
        list(destination.parcels(mapped.ready)),
        list(destination.parcels(destination.map(frame).ready)),
    )
    assert [parcel.body for parcel in parcels] == [parcel.body for parcel in again]
    sent = [row for parcel in parcels for row in parcel.rows]
    assert sent == mapped.ready[ROW].to_list()
    for parcel in parcels:
        assert len(json.loads(parcel.body)) == parcel.items >= len(parcel.rows) >= 1
        assert parcel.points is None or len(parcel.points) == parcel.items
    assert destination.known(["u-1", "u-9", "u-2"]) == {"u-1", "u-2"}
