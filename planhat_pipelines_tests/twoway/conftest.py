"""A table of accounts and its companies in the session's Snowflake and Planhat."""

from __future__ import annotations

import pytest

from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.twoway.pair import Pair


@pytest.fixture
def pair(place: Place) -> Pair:
    return Pair(place)
