"""Statements, errors and transactions behave as on an account, over the socket with the real connector."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import logging
import threading
import uuid
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import requests
from snowflake.connector.errors import Error, ProgrammingError

from planhat_pipelines.sandbox.snowflake import SnowflakeServer
from planhat_pipelines_tests.sandbox.snowflake.conftest import PASSWORD, USER

NAMES = (f"T{number}" for number in itertools.count())


@pytest.fixture
def table(session: Any) -> str:
    name = next(NAMES)
    session.cursor().execute(
        f"CREATE TABLE {name} (K INT, V VARCHAR, N NUMBER(12,2), AT TIMESTAMP_TZ, J VARIANT)"
    )
    session.cursor().execute(f"INSERT INTO {name} (K, V) VALUES (1, 'a'), (2, 'b')")
    return name


def rows(session: Any, sql: str) -> list[Any]:
    return session.cursor().execute(sql).fetchall()


def failure(session: Any, sql: str) -> tuple[int, str]:
    with pytest.raises(Error) as caught:
        session.cursor().execute(sql)
    return caught.value.errno, caught.value.sqlstate


def test_null_timestamps_stay_null_and_old_ones_keep_their_microseconds(session: Any) -> None:
    name = next(NAMES)
    cursor = session.cursor()
    cursor.execute(f"CREATE TABLE {name} (NTZ TIMESTAMP_NTZ, TZ TIMESTAMP_TZ)")
    cursor.execute(f"INSERT INTO {name} VALUES (NULL, NULL)")
    cursor.execute(
        f"INSERT INTO {name} VALUES ('1969-12-31 23:59:59.000001', '9999-12-31 23:59:59.999999+00:00')"
    )
    expected = [
        (
            datetime.fromisoformat("1969-12-31T23:59:59.000001"),
            datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        ),
        (None, None),
    ]
    assert rows(session, f"SELECT * FROM {name} ORDER BY NTZ") == expected
    cursor.execute(f"SELECT NTZ, TZ FROM {name} WHERE NTZ IS NULL")
    assert cursor.fetch_arrow_all(force_return_table=True).to_pydict() == {"NTZ": [None], "TZ": [None]}


@pytest.mark.parametrize(
    ("sql", "errno", "sqlstate"),
    [
        ("SELECT * FROM NOPE", 2003, "42S02"),
        ("SELECT * FROM NODB.PUBLIC.NOPE", 2003, "42S02"),
        ("INSERT INTO NOPE VALUES (1)", 2003, "42S02"),
        ("DROP TABLE NOPE", 2003, "42S02"),
        ("CREATE TABLE NOSCHEMA.T (A INT)", 2003, "02000"),
        ("CREATE TABLE {t} (K INT)", 2002, "42710"),
        ("SELECT NOPE FROM {t}", 904, "42000"),
        ("UPDATE {t} SET NOPE = 1", 904, "42000"),
        ("SELEC 1", 1003, "42000"),
        ("SELECT NOFUNCTION(1)", 2140, "42601"),
        ("SELECT TO_NUMBER('abc')", 100038, "22018"),
        ("INSERT INTO {t} (K) VALUES ('abc')", 100038, "22018"),
        ("SELECT 'abc'::DATE", 100040, "22007"),
        ("SELECT 'abc'::TIMESTAMP_NTZ", 100035, "22007"),
        ("SELECT 'abc'::BOOLEAN", 100037, "22018"),
        ("SELECT PARSE_JSON('{')", 100069, "22P02"),
        ("INSERT INTO {t} VALUES (1)", 2020, "21S01"),
        ("SELECT * FROM TABLE(RESULT_SCAN('nope'))", 709, "02000"),
        ("UNDROP TABLE {t}", 2, "0A000"),
    ],
)
def test_an_error_has_snowflakes_code_and_state(
    session: Any, table: str, sql: str, errno: int, sqlstate: str
) -> None:
    assert failure(session, sql.replace("{t}", table)) == (errno, sqlstate)


def test_a_failing_statement_is_sent_once(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        failure(session, "SELECT 1 FROM NOPE")
    sent = [record for record in caplog.records if '"POST /queries/v1/query-request' in record.getMessage()]
    assert len(sent) == 1


def test_a_request_sent_again_under_its_id_runs_once(
    server: SnowflakeServer, session: Any, database: str, table: str
) -> None:
    address = f"http://{server.host}:{server.port}"
    login = {"data": {"LOGIN_NAME": USER, "PASSWORD": PASSWORD, "SESSION_PARAMETERS": {}}}
    signed_in = requests.post(f"{address}/session/v1/login-request", json=login, timeout=10).json()
    headers = {"Authorization": f'Snowflake Token="{signed_in["data"]["token"]}"', "Content-Encoding": "gzip"}
    body = gzip.compress(
        json.dumps({"sqlText": f"INSERT INTO {database}.PUBLIC.{table} (K) VALUES (9)"}).encode()
    )
    url = f"{address}/queries/v1/query-request?requestId={uuid.uuid4()}"
    answers = [requests.post(url, headers=headers, data=body, timeout=10).json() for _ in range(3)]
    assert answers[0]["success"]
    assert answers[1] == answers[2] == answers[0]
    assert rows(session, f"SELECT COUNT(*) FROM {table} WHERE K = 9") == [(1,)]


def test_merge_inside_a_transaction_is_part_of_it(session: Any, table: str) -> None:
    cursor = session.cursor()
    cursor.execute("BEGIN")
    cursor.execute(
        f"MERGE INTO {table} AS t USING (SELECT 1 AS K, 'n' AS V UNION ALL SELECT 5, 'm') AS s ON t.K = s.K "
        "WHEN MATCHED AND t.V IS DISTINCT FROM s.V THEN UPDATE SET t.V = UPPER(s.V) "
        "WHEN NOT MATCHED THEN INSERT (K, V, J) VALUES (s.K, s.V, PARSE_JSON('{\"a\":1}'))"
    )
    assert cursor.fetchall() == [(1, 1)]
    assert cursor.rowcount == 2
    assert rows(session, f"SELECT K, V FROM {table} ORDER BY K") == [(1, "N"), (2, "b"), (5, "m")]
    cursor.execute("ROLLBACK")
    assert rows(session, f"SELECT K, V FROM {table} ORDER BY K") == [(1, "a"), (2, "b")]


def test_a_merge_that_finds_nothing_to_do_says_so(session: Any, table: str) -> None:
    cursor = session.cursor()
    cursor.execute(
        f"MERGE INTO {table} t USING {table} s ON t.K = s.K AND s.K > 9 WHEN MATCHED THEN UPDATE SET V = s.V"
    )
    assert (cursor.fetchall(), cursor.rowcount) == ([(0,)], 0)


def test_merge_with_autocommit_off_waits_for_the_commit(
    connect: Any, database: str, session: Any, table: str
) -> None:
    with closing(connect(database=database, schema="PUBLIC", autocommit=False)) as writer:
        merge = f"MERGE INTO {table} t USING (SELECT 1 K) s ON t.K = s.K WHEN MATCHED THEN DELETE"
        writer.cursor().execute(merge)
        assert rows(session, f"SELECT COUNT(*) FROM {table}") == [(2,)]
        writer.commit()
    assert rows(session, f"SELECT COUNT(*) FROM {table}") == [(1,)]


def test_merge_with_a_duplicate_key_in_its_source_is_refused_and_changes_nothing(
    session: Any, table: str
) -> None:
    merge = (
        f"MERGE INTO {table} t USING (SELECT 1 AS K, 'x' AS V UNION ALL SELECT 1, 'y' UNION ALL SELECT 7, 'z') s "
        "ON t.K = s.K WHEN MATCHED THEN UPDATE SET V = s.V WHEN NOT MATCHED THEN INSERT (K, V) VALUES (s.K, s.V)"
    )
    assert failure(session, merge) == (100090, "42P18")
    assert rows(session, f"SELECT K, V FROM {table} ORDER BY K") == [(1, "a"), (2, "b")]


def test_a_merge_that_fails_half_way_changes_nothing(session: Any, table: str) -> None:
    merge = (
        f"MERGE INTO {table} t USING (SELECT 1 AS K, 'x' AS V UNION ALL SELECT 7, 'z') s ON t.K = s.K "
        "WHEN MATCHED THEN UPDATE SET V = s.V WHEN NOT MATCHED THEN INSERT (K, N) VALUES (s.K, s.V::NUMBER)"
    )
    assert failure(session, merge) == (100038, "22018")
    assert rows(session, f"SELECT K, V FROM {table} ORDER BY K") == [(1, "a"), (2, "b")]


def test_a_transaction_with_a_failed_statement_is_not_committed_in_silence(session: Any, table: str) -> None:
    cursor = session.cursor()
    cursor.execute("BEGIN")
    cursor.execute(f"DELETE FROM {table}")
    failure(session, f"INSERT INTO {table} (K) VALUES ('abc')")
    assert failure(session, "COMMIT") == (625, "57014")
    assert rows(session, f"SELECT COUNT(*) FROM {table}") == [(2,)]


def test_a_definition_commits_the_open_transaction(session: Any, other_session: Any, table: str) -> None:
    cursor = session.cursor()
    cursor.execute("BEGIN")
    cursor.execute(f"DELETE FROM {table}")
    cursor.execute("CREATE TEMPORARY TABLE STAGED (K INT)")
    cursor.execute("ROLLBACK")
    assert rows(other_session, f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_temporary_tables_go_by_their_full_name_and_belong_to_one_session(
    session: Any, other_session: Any, database: str
) -> None:
    session.cursor().execute(f"CREATE TEMPORARY TABLE {database}.PUBLIC.MINE (K INT)")
    session.cursor().execute(f"INSERT INTO {database}.PUBLIC.MINE SELECT 1")
    assert rows(session, f'SELECT * FROM "{database}"."PUBLIC"."MINE"') == [(1,)]
    assert failure(other_session, f"SELECT * FROM {database}.PUBLIC.MINE") == (2003, "42S02")


def test_a_file_goes_through_the_stage_of_a_temporary_table_of_any_schema(
    session: Any, database: str
) -> None:
    cursor = session.cursor()
    cursor.execute(f'CREATE SCHEMA IF NOT EXISTS {database}."odd %s Schema"')
    cursor.execute(f"USE SCHEMA {database}.PUBLIC")
    staged = f'{database}."odd %s Schema".STAGED'
    stage = f"'@{database}.\"odd %s Schema\".%STAGED'"
    cursor.execute(f"CREATE TEMPORARY TABLE {staged} (K VARCHAR, B BOOLEAN)")
    file = io.BytesIO()
    pl.DataFrame({"K": ["it's", None], "B": [True, None]}).write_parquet(file)
    file.seek(0)
    cursor.execute(f"PUT 'file://rows.parquet' {stage} AUTO_COMPRESS = FALSE", file_stream=file)
    cursor.execute(
        f"COPY INTO {staged} (K, B) FROM (SELECT $1:K::VARCHAR, $1:B::BOOLEAN FROM {stage}) "
        "FILE_FORMAT = (TYPE = PARQUET)"
    )
    assert rows(session, f"SELECT * FROM {staged} ORDER BY K") == [("it's", True), (None, None)]


def test_the_information_schema_lists_views_and_precisions_and_takes_any_name(
    session: Any, database: str
) -> None:
    cursor = session.cursor()
    cursor.execute("""CREATE TABLE "odd one" ("it's" VARCHAR(5), N NUMBER(9,2), AT TIMESTAMP_NTZ)""")
    cursor.execute('CREATE VIEW "odd view" AS SELECT N FROM "odd one"')
    tables = f"SELECT table_name, table_type FROM {database}.INFORMATION_SCHEMA.TABLES"
    assert rows(session, f"{tables} WHERE table_name LIKE 'odd %' ORDER BY 1") == [
        ("odd one", "BASE TABLE"),
        ("odd view", "VIEW"),
    ]
    facts = "column_name, character_maximum_length, numeric_precision, numeric_scale, datetime_precision"
    columns = f"SELECT {facts} FROM {database}.INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'odd one'"
    assert rows(session, f"{columns} ORDER BY ordinal_position") == [
        ("it's", 5, None, None, None),
        ("N", None, 9, 2, None),
        ("AT", None, None, None, 9),
    ]


def test_keys_are_not_enforced_but_not_null_is(session: Any) -> None:
    name = next(NAMES)
    cursor = session.cursor()
    cursor.execute(f"CREATE TABLE {name} (K INT PRIMARY KEY, U INT UNIQUE, CONSTRAINT C UNIQUE (K, U))")
    cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (U)")
    cursor.execute(f"INSERT INTO {name} VALUES (1, 1), (1, 1)")
    assert rows(session, f"SELECT COUNT(*) FROM {name}") == [(2,)]
    assert failure(session, f"INSERT INTO {name} VALUES (NULL, 1)") == (100072, "22000")


@pytest.mark.parametrize("paramstyle", ["pyformat", "qmark"])
def test_many_rows_go_in_at_once_with_their_values_unharmed(
    connect: Any, database: str, paramstyle: str
) -> None:
    name = next(NAMES)
    awkward = 'it\'s \\ "q" ${x} %s ? \n Åsa 日本 $1'
    values = [
        (
            i,
            awkward if i % 3 else None,
            Decimal("1.25"),
            date(2026, 2, 28),
            datetime.fromisoformat("2026-01-01T12:00:00"),
        )
        for i in range(500)
    ]
    with closing(connect(database=database, schema="PUBLIC", paramstyle=paramstyle)) as writer:
        cursor = writer.cursor()
        cursor.execute(f"CREATE TABLE {name} (K INT, V VARCHAR, N NUMBER(12,2), D DATE, T TIMESTAMP_NTZ)")
        mark = "?" if paramstyle == "qmark" else "%s"
        cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join([mark] * 5)})", values)
        assert cursor.rowcount == 500
        assert rows(writer, f"SELECT * FROM {name} ORDER BY K") == values


def test_sessions_that_change_the_same_rows_at_once_lose_nothing(
    connect: Any, database: str, table: str
) -> None:
    def add(times: int) -> None:
        with closing(connect(database=database, schema="PUBLIC")) as writer:
            for _ in range(times):
                writer.cursor().execute(f"UPDATE {table} SET N = COALESCE(N, 0) + 1 WHERE K = 1")

    threads = [threading.Thread(target=add, args=(15,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with closing(connect(database=database, schema="PUBLIC")) as reader:
        assert rows(reader, f"SELECT N FROM {table} WHERE K = 1") == [(Decimal("60.00"),)]


def test_session_parameters_roles_and_warehouses_are_taken(session: Any, database: str) -> None:
    cursor = session.cursor()
    cursor.execute(
        "ALTER SESSION SET TIMEZONE = 'UTC', QUERY_TAG = 'sync', STATEMENT_TIMEOUT_IN_SECONDS = 60"
    )
    cursor.execute("ALTER SESSION UNSET QUERY_TAG")
    cursor.execute("USE ROLE OTHER_ROLE")
    cursor.execute("USE WAREHOUSE OTHER_WH")
    assert (session.role, session.warehouse) == ("OTHER_ROLE", "OTHER_WH")
    cursor.execute(f"USE DATABASE {database}")
    assert rows(
        session, "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_ROLE(), CURRENT_WAREHOUSE()"
    ) == [(database, "PUBLIC", "OTHER_ROLE", "OTHER_WH")]


def test_a_statement_may_hold_a_dollar_word_in_a_literal(session: Any) -> None:
    assert rows(session, "SELECT '$USD per seat'") == [("$USD per seat",)]
    with pytest.raises(ProgrammingError):
        session.cursor().execute("SELECT $NOT_SET")
