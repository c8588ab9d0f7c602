"""What is in the folder outlives the server, and the server stops when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector.errors import Error

from planhat_pipelines.sandbox.snowflake import SnowflakeServer, create_user, write_users

CHANGES = (
    "SELECT K, V, METADATA$ACTION FROM CRM.PUBLIC.T CHANGES(INFORMATION => DEFAULT) "
    "AT(TIMESTAMP => '{since}'::TIMESTAMP_TZ) ORDER BY K, 3"
)


def sign_in(server: SnowflakeServer) -> Any:
    return snowflake.connector.connect(user="LOADER", password="pw", **server.connect_args)


def run(server: SnowflakeServer, *statements: str) -> list[Any]:
    with closing(sign_in(server)) as session:
        return [session.cursor().execute(statement).fetchall() for statement in statements][-1]


def kill(server: SnowflakeServer) -> None:
    assert server.process_id
    os.kill(server.process_id, signal.SIGKILL)
    server.stop()


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    write_users(tmp_path / "users.json", [create_user("LOADER", password="pw")])
    return tmp_path / "users.json"


def test_tables_tracking_and_history_survive_a_kill_and_a_stop(users_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "account"
    first = SnowflakeServer(users_file, folder=folder).start()
    run(
        first,
        "CREATE DATABASE CRM",
        "CREATE TABLE CRM.PUBLIC.T (K INT AUTOINCREMENT, V VARCHAR(20) COMMENT 'a value') CHANGE_TRACKING = TRUE",
        "INSERT INTO CRM.PUBLIC.T (V) VALUES ('a'), ('b')",
    )
    since = run(first, "SELECT CURRENT_TIMESTAMP()")[0][0].isoformat(sep=" ")
    before = run(first, "UPDATE CRM.PUBLIC.T SET V = 'z' WHERE K = 1", "SHOW TABLES IN SCHEMA CRM.PUBLIC")
    kill(first)
    with SnowflakeServer(users_file, folder=folder) as second:
        assert run(second, "SHOW TABLES IN SCHEMA CRM.PUBLIC") == before
        run(second, "INSERT INTO CRM.PUBLIC.T (V) VALUES ('c')", "DELETE FROM CRM.PUBLIC.T WHERE K = 2")
    with SnowflakeServer(users_file, folder=folder) as third:
        assert run(third, CHANGES.format(since=since)) == [
            (1, "a", "DELETE"),
            (1, "z", "INSERT"),
            (2, "b", "DELETE"),
            (3, "c", "INSERT"),
        ]


def test_a_dropped_database_leaves_no_files_to_come_back_from(users_file: Path, tmp_path: Path) -> None:
    with SnowflakeServer(users_file, folder=tmp_path / "account") as server:
        run(server, "CREATE DATABASE GONE", "CREATE TABLE GONE.PUBLIC.T (K INT) CHANGE_TRACKING = TRUE")
        assert list((tmp_path / "account").glob("GONE*"))
        run(server, "DROP DATABASE GONE")
        assert list((tmp_path / "account").glob("GONE*")) == []
        assert "GONE" not in [row[1] for row in run(server, "SHOW DATABASES")]


def test_an_interrupt_stops_the_server_within_five_seconds_even_if_it_was_ignored(users_file: Path) -> None:
    command = [sys.executable, "-m", "planhat_pipelines.sandbox.snowflake", "--users", str(users_file)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    try:
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait(5)
        if process.stdout:
            process.stdout.close()


def test_a_running_statement_does_not_hold_up_the_stop(users_file: Path) -> None:
    numbers = "(SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 200000)))"
    endless = f"SELECT COUNT(*) FROM {numbers} a JOIN {numbers} b ON a.N * b.N % 7 = 3"
    outcome: list[str] = []

    def run_it(session: Any) -> None:
        try:
            session.cursor().execute(endless)
        except Error as error:
            outcome.append(error.sqlstate)

    with SnowflakeServer(users_file) as server:
        waiting = threading.Thread(target=run_it, args=(sign_in(server),), daemon=True)
        waiting.start()
        time.sleep(0.5)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 4
    waiting.join(10)
    assert outcome == ["57014"]


def test_a_server_that_cannot_start_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended"):
        SnowflakeServer(tmp_path / "users.json", port=1 << 20).start()
    assert "port" in capfd.readouterr().err
