"""One local Snowflake for all tests of this folder, each module in a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from planhat_pipelines.sandbox.snowflake import SnowflakeServer, create_user, write_users

USER, PASSWORD = "LOADER", "correct horse"
Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    users_file: Path = tmp_path_factory.mktemp("snowflake") / "users.json"
    write_users(users_file, [create_user(USER, password=PASSWORD, role="LOADER_ROLE", warehouse="WH")])
    with SnowflakeServer(users_file) as running:
        yield running


@pytest.fixture(scope="session")
def connect(server: SnowflakeServer) -> Connect:
    import snowflake.connector

    def connected(**more: Any) -> Any:
        arguments = {"user": USER, "password": PASSWORD} | server.connect_args | more
        return snowflake.connector.connect(**arguments)

    return connected


@pytest.fixture(scope="module")
def database(connect: Connect, request: pytest.FixtureRequest) -> str:
    name = request.module.__name__.rsplit(".", 1)[-1].upper()
    with closing(connect()) as connection:
        connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS {name}")
    return name


@pytest.fixture
def session(connect: Connect, database: str) -> Iterator[Any]:
    with closing(connect(database=database, schema="PUBLIC")) as connection:
        yield connection


@pytest.fixture
def other_session(connect: Connect, database: str) -> Iterator[Any]:
    with closing(connect(database=database, schema="PUBLIC")) as connection:
        yield connection
