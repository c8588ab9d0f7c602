"""The process that forks runs to be killed, and requests small enough that a few rows need several."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planhat_pipelines.engine.destinations import activities, metrics
from planhat_pipelines_tests.mortals import Mortals


@pytest.fixture(scope="session")
def mortals() -> Iterator[Mortals]:
    with Mortals("planhat_pipelines_tests.e2e.mortal", when="before") as mortals:
        yield mortals


@pytest.fixture(autouse=True)
def _two_items_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "POINTS_A_REQUEST", 2)
    monkeypatch.setattr(activities, "ACTIVITIES_A_REQUEST", 2)
