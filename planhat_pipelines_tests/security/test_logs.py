"""Every kind of sync, with the logs of all libraries at DEBUG: no secret and no customer's value comes to light."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from planhat_pipelines.engine.environment import snowflake_account
from planhat_pipelines.snowflake.errors import SignInError
from planhat_pipelines_tests.e2e.place import Place, open_session
from planhat_pipelines_tests.e2e.test_kills import endusers
from planhat_pipelines_tests.records.crm import Crm
from planhat_pipelines_tests.twoway.pair import Pair

LOG = logging.getLogger()
ROWS = [(1, "c-1", "2026-01-01", 5), (2, "c-1", "2026-01-02", 7)]


def metrics(place: Place) -> None:
    place.companies("c-1")
    place.seats(ROWS)
    place.fault("status_after", status=500, count=1)  # so that it is read back, too
    LOG.setLevel(logging.DEBUG)
    place.run()


def activities(place: Place) -> None:
    endusers(place, "u-1")
    place.seats([(1, "u-1", "2026-01-01", 5)])
    LOG.setLevel(logging.DEBUG)
    place.run(place.activities_spec())


def one_way(place: Place) -> None:
    crm = Crm(place)
    crm.accounts(("a", "Zebra AB", "Zebra City"))
    crm.fault("partial", every=1, count=1)
    LOG.setLevel(logging.DEBUG)
    crm.run()


def both_ways(place: Place) -> None:
    pair = Pair(place)
    pair.accounts(("a", "Zebra AB", "Zebra City"))
    pair.run()
    pair.edit("a", city="Zebra Town")
    LOG.setLevel(logging.DEBUG)
    pair.run()


@pytest.mark.parametrize("sync", [metrics, activities, one_way, both_ways], ids=lambda sync: sync.__name__)
def test_no_secret_is_logged_by_any_library_at_debug(
    place: Place, caplog: pytest.LogCaptureFixture, sync: Callable[[Place], None]
) -> None:
    caplog.set_level(logging.DEBUG)  # and what it was is restored at the end
    LOG.setLevel(logging.INFO)  # until the sync's world is made
    shared = place.session
    with open_session(place.environment) as session:
        place.session = session
        try:
            sync(place)
        finally:
            place.session = shared
    rest: Any = session
    secrets = {
        **{
            name: place.environment[name]
            for name in ("PLANHAT_TOKEN", "PLANHAT_TENANT", "SNOWFLAKE_PASSWORD")
        },
        **{f"session {name}": getattr(rest.rest, name, None) for name in ("token", "master_token")},
    }
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"snowflake", "urllib3"}
    shown = {name for name, secret in secrets.items() if secret and secret in caplog.text}
    assert shown == set()
    assert "zebra" not in caplog.text.lower()


def test_a_sign_in_that_is_refused_shows_no_password_anywhere(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "hush hush " * 3
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(SignInError) as caught,
        snowflake_account(place.environment, password=wrong).connection(),
    ):
        raise AssertionError("signed in")
    chain = [caught.value, caught.value.__context__, caught.value.__cause__]
    assert "hush" not in caplog.text + "".join(map(repr, chain))
