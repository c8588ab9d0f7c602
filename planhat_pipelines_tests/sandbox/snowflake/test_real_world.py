"""With the switch on, results come as a real account sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector

from planhat_pipelines.sandbox.snowflake import SnowflakeServer, create_user, write_users

ROWS = 4000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    users_file: Path = tmp_path_factory.mktemp("real_world") / "users.json"
    write_users(users_file, [create_user("LOADER", password="pw")])
    with SnowflakeServer(users_file, real_world=True, create_missing=True) as running:
        with closing(sign_in(running)) as session:
            session.cursor().execute("CREATE TABLE T (K INT, N NUMBER(12,2), J VARIANT)")
            values = [(k, None if k == 7 else Decimal(k) / 4, None) for k in range(ROWS)]
            session.cursor().executemany("INSERT INTO T VALUES (%s, %s, %s)", values)
            session.cursor().execute(
                """UPDATE T SET J = PARSE_JSON('{"b": 1.50, "a": [2, {}]}') WHERE K = 1"""
            )
        yield running


def sign_in(server: SnowflakeServer, **more: Any) -> Any:
    arguments = server.connect_args | {
        "user": "LOADER",
        "password": "pw",
        "database": "CRM",
        "schema": "PUBLIC",
    }
    return snowflake.connector.connect(**arguments, **more)


def test_batches_differ_in_their_integer_types_and_hold_every_row(server: SnowflakeServer) -> None:
    with closing(sign_in(server)) as session:
        cursor = session.cursor().execute("SELECT IFF(K < 500, 1, K) AS K FROM T ORDER BY T.K")
        tables = list(cursor.fetch_arrow_batches())
        types = {str(batch.to_arrow().schema.field("K").type) for batch in cursor.get_result_batches()}
    assert len(types) > 1
    assert sum(table.num_rows for table in tables) == ROWS


def test_decimals_are_floats_unless_the_client_asks_for_decimals(server: SnowflakeServer) -> None:
    with closing(sign_in(server)) as session:
        assert (
            str(session.cursor().execute("SELECT N FROM T").fetch_arrow_all().schema.field("N").type)
            == "double"
        )
    with closing(sign_in(server, arrow_number_to_decimal=True)) as session:
        numbers = session.cursor().execute("SELECT N FROM T ORDER BY K").fetch_arrow_all()["N"].to_pylist()
    assert numbers == [None if k == 7 else round(Decimal(k) / 4, 2) for k in range(ROWS)]


def test_variants_are_indented_with_sorted_keys(server: SnowflakeServer) -> None:
    with closing(sign_in(server)) as session:
        text = session.cursor().execute("SELECT J FROM T WHERE K = 1").fetchone()[0]
    assert text == '{\n  "a": [\n    2,\n    {}\n  ],\n  "b": 1.5\n}'
