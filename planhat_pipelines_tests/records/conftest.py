"""A table of accounts in the session's Snowflake, and the session's Planhat."""

from __future__ import annotations

import pytest

from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm


@pytest.fixture
def crm(place: Place) -> Crm:
    return Crm(place)
