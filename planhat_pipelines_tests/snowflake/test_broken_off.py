"""A connection to Snowflake that breaks off in the middle of an answer is an error of ours, which says to try again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from planhat_pipelines.engine.environment import snowflake_account
from planhat_pipelines.snowflake.errors import Temporary
from torture.wire import Wire

# The connector's own threads, which it starts to try once more, fall over the same cut.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def wire(sync_environment: tuple[dict[str, str], Any]) -> Iterator[Wire]:
    with Wire(int(sync_environment[0]["SNOWFLAKE_PORT"])) as wire:
        yield wire


def account(wire: Wire, sync_environment: tuple[dict[str, str], Any]) -> Any:
    environment = {**sync_environment[0], "SNOWFLAKE_PORT": str(wire.port)}
    return snowflake_account(environment, login_timeout=1, network_timeout=1)


def test_a_sign_in_whose_answer_is_cut_off_is_temporary(
    wire: Wire, sync_environment: tuple[dict[str, str], Any]
) -> None:
    wire.down()  # every time: the connector tries again by itself
    with pytest.raises(Temporary, match="Signing in as SYNC"), account(wire, sync_environment).connection():
        raise AssertionError("signed in")


def test_a_result_that_is_cut_off_again_and_again_is_temporary(
    wire: Wire, sync_environment: tuple[dict[str, str], Any]
) -> None:
    with (  # noqa: PT012
        pytest.raises(Temporary),
        account(wire, sync_environment).connection() as session,
        session.cursor() as cursor,
    ):
        wire.down()
        cursor.execute("SELECT 1")
