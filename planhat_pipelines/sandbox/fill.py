"""Brings the world into the three servers, over the network, as its real owners would.

Every function takes the environment that a sandbox writes (SNOWFLAKE_HOST, PLANHAT_TOKEN and so on).
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import boto3
import requests
import snowflake.connector

from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.sandbox.world import NextDay, World
from planhat_pipelines.sandbox.world.drops import BUCKET
from planhat_pipelines.sandbox.world.tables import Table

Environment = Mapping[str, str]

_ITEMS = 5_000  # of one request (Planhat developers, bulk upsert)
_TIMEOUT = 120  # seconds


def fill(environment: Environment, world: World) -> None:
    """Everything that is there before the first sync."""
    with _warehouse(environment) as cursor:
        for name in dict.fromkeys(table.name.partition(".")[0] for table in world.tables):
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {name}")
        for table in world.tables:
            columns = ", ".join(f"{column} {kind}" for column, kind in table.columns.items())
            cursor.execute(f"CREATE OR REPLACE TABLE {table.name} ({columns})")
            if table.tracked:
                cursor.execute(f"ALTER TABLE {table.name} SET CHANGE_TRACKING = TRUE")
        _load(cursor, world.tables, "first")
    with _planhat(environment) as session:
        for definition in world.custom_fields:
            _send(session, "POST", f"{environment['PLANHAT_API_URL']}/customfields", definition)
        for name, records in world.records.items():
            _upsert(environment, session, name, records)
    _put(environment, world.drops)


def pass_day(environment: Environment, day: NextDay) -> None:
    """What one more day brings."""
    with _warehouse(environment) as cursor:
        _load(cursor, day.new, day.day.isoformat())
        for account, changes in day.changed.items():
            assignments = ", ".join(f"{column} = %s" for column in changes)
            cursor.execute(
                f"UPDATE CRM.PUBLIC.ACCOUNTS SET {assignments} WHERE ACCOUNT_ID = %s",
                (*changes.values(), account),
            )
    with _planhat(environment) as session:
        _upsert(environment, session, "company", list(day.edits))
    _put(environment, day.drops)


def ask(environment: Environment, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a statement in the schema of the CRM: the names of its columns, and its rows."""
    with _warehouse(environment) as cursor:
        cursor.execute("USE SCHEMA CRM.PUBLIC")
        cursor.execute(sql)
        return [column.name for column in cursor.description], cursor.fetchall()


def _load(cursor: Any, tables: Iterable[Table], batch: str) -> None:
    """PUT and COPY of Parquet: some thirty times as fast as inserts."""
    with tempfile.TemporaryDirectory() as folder:
        for table in tables:
            database, schema, name = table.name.split(".")
            file = Path(folder) / f"{name}-{batch}.parquet"
            table.rows.write_parquet(file)
            cursor.execute(f"USE SCHEMA {database}.{schema}")
            cursor.execute("CREATE STAGE IF NOT EXISTS SANDBOX_LOAD")
            cursor.execute(f"PUT file://{file} @SANDBOX_LOAD OVERWRITE = TRUE")
            cursor.execute(
                f"COPY INTO {table.name} FROM @SANDBOX_LOAD/{file.name} "
                "FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
            )


@contextmanager
def _warehouse(environment: Environment) -> Generator[Any]:
    connect = cast("Any", snowflake.connector).connect
    connection = connect(
        account=environment["SNOWFLAKE_ACCOUNT"],
        user=environment["SNOWFLAKE_USER"],
        authenticator="SNOWFLAKE_JWT",
        private_key_file=environment["SNOWFLAKE_PRIVATE_KEY_FILE"],
        host=environment["SNOWFLAKE_HOST"],
        port=int(environment["SNOWFLAKE_PORT"]),
        protocol=environment["SNOWFLAKE_PROTOCOL"],
        role=environment["SNOWFLAKE_ROLE"],
        warehouse=environment["SNOWFLAKE_WAREHOUSE"],
        network_timeout=_TIMEOUT,
        session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    )
    try:
        yield connection.cursor()
    finally:
        connection.close()


@contextmanager
def _planhat(environment: Environment) -> Generator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {environment['PLANHAT_TOKEN']}"
        yield session


def _upsert(
    environment: Environment, session: requests.Session, name: str, records: list[dict[str, Any]]
) -> None:
    for start in range(0, len(records), _ITEMS):
        piece = records[start : start + _ITEMS]
        _send(session, "PUT", f"{environment['PLANHAT_API_URL']}/{model(name).path}", piece)


def _send(session: requests.Session, method: str, url: str, body: Any) -> None:
    answer = session.request(method, url, json=body, timeout=_TIMEOUT)
    if answer.status_code != 200:
        raise RuntimeError(
            f"the local Planhat answered {answer.status_code} to {method} {url}: {answer.text[:300]}"
        )


def _put(environment: Environment, drops: Mapping[str, bytes]) -> None:
    s3 = cast("Any", boto3).client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    for key, content in drops.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
