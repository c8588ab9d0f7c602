"""One local Snowflake and one local Planhat for every test that runs syncs between them."""

from __future__ import annotations

import gc
import logging
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
from planhat_pipelines.sandbox.snowflake.users import create_user, write_users
from planhat_pipelines_tests.e2e.place import DATABASE, Place, open_session

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
os.environ["no_proxy"] = "127.0.0.1,localhost"  # libraries would look for proxies at each request

FEW = 5  # one in so many cases of a matrix is tried
LONG = ("e2e/test_demo.py", "twoway/test_kills.py", "sandbox/test_run.py", "twoway/test_models_both_ways.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option of these tests."""
    parser.addoption("--every-case", action="store_true", help="long tests, and all cases of each matrix")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests and most of a matrix's cases, unless told otherwise. Begin with the files that take
    longest, as a file is not shared out and the last one is waited for."""
    if not config.getoption("every_case"):
        seen = Counter[tuple[Path, str]]()
        kept, left_out = list[pytest.Item](), list[pytest.Item]()
        for item in items:
            test = item.path, item.name.partition("[")[0]
            is_one_more = item.get_closest_marker("matrix") and seen[test] % FEW
            seen[test] += 1
            (left_out if is_one_more or item.get_closest_marker("long") else kept).append(item)
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONG))


@pytest.fixture(scope="session")
def every_case(pytestconfig: pytest.Config) -> bool:
    """Whether a test that goes through many cases by itself goes through all of them."""
    return bool(pytestconfig.getoption("every_case"))


@pytest.fixture(scope="session")
def sync_environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, str], PlanhatServer]]:
    """Both servers, and the variables by which the product finds them (all but the ledger's)."""
    folder: Path = tmp_path_factory.mktemp("place")
    password = secrets.token_urlsafe()  # opening a private key costs more than all the rest of a run
    users_file = folder / "users.json"
    write_users(users_file, [create_user("SYNC", password=password, role="SYNC", warehouse="WH")])
    with (
        SnowflakeServer(users_file, create_missing=True) as snowflake,
        PlanhatServer(folder / "planhat") as planhat,
    ):
        yield (
            {
                "SNOWFLAKE_ACCOUNT": "LOCAL",
                "SNOWFLAKE_USER": "SYNC",
                "SNOWFLAKE_PASSWORD": password,
                "SNOWFLAKE_HOST": snowflake.host,
                "SNOWFLAKE_PORT": str(snowflake.port),
                "SNOWFLAKE_PROTOCOL": "http",
                "SNOWFLAKE_DATABASE": DATABASE,
                "SNOWFLAKE_SCHEMA": "PUBLIC",
                "SNOWFLAKE_COMMIT_LAG": "0",
                "PLANHAT_TOKEN": planhat.token,
                "PLANHAT_TENANT": planhat.tenant,
                "PLANHAT_API_URL": planhat.api_url,
                "PLANHAT_ANALYTICS_URL": planhat.analytics_url,
                "PLANHAT_READ_BACK_SECONDS": "0",
                "PLANHAT_CALLS_A_MINUTE": "60000",
            },
            planhat,
        )


@pytest.fixture(scope="session")
def sync_session(sync_environment: tuple[dict[str, str], PlanhatServer]) -> Iterator[Any]:
    """A Snowflake session as the product opens it."""
    with open_session(sync_environment[0]) as session:
        yield session


@pytest.fixture
def place(
    sync_environment: tuple[dict[str, str], PlanhatServer], sync_session: Any, tmp_path: Path
) -> Iterator[Place]:
    """A table, an empty tenant and an empty ledger of the test's own."""
    environment, planhat = sync_environment
    place = Place(sync_session, planhat, environment, tmp_path)
    yield place
    place.ledger.close()
    place.drop()


@pytest.fixture(scope="session")
def dagster_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all tests, with one file for the events of all runs, as a file a run takes its time."""
    import dagster as dg

    home = str(tmp_path_factory.mktemp("dagster"))
    events = {"module": "dagster._core.storage.event_log", "class": "ConsolidatedSqliteEventLogStorage"}
    overrides = {"event_log_storage": {**events, "config": {"base_dir": home}}}
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with dg.DagsterInstance.local_temp(home, overrides) as instance:
        yield instance


@pytest.fixture
def dagster(dagster_instance: Any) -> Iterator[Any]:
    """A Dagster instance without a run."""
    gc.freeze()  # what was there before is not looked through at the end
    yield dagster_instance
    dagster_instance.wipe()
    gc.collect()  # what a run leaves unclosed is told here, and not in a later test
    gc.unfreeze()
