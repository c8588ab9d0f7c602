"""A table of accounts and its companies in the session's Snowflake and Planhat, and runs that die."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.mortals import Mortals
from planhat_pipelines_tests.twoway.pair import Pair


@pytest.fixture
def pair(place: Place) -> Pair:
    return Pair(place)


@pytest.fixture(scope="session")
def mortals() -> Iterator[Mortals]:
    with Mortals("planhat_pipelines_tests.twoway.mortal", when="before") as mortals:
        yield mortals
