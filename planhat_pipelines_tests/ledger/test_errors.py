"""What a person reads when the database can't be used, and that nothing half-done is left behind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from planhat_pipelines.ledger import Ledger, LedgerError, LedgerUnavailable, NewRejection, schema
from planhat_pipelines_tests.ledger import postgres
from planhat_pipelines_tests.ledger.help import intend, picture


def test_a_ledger_that_another_program_locks_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}?timeout=0.2") as ledger, ledger.claim("seats", "run") as claim:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match=r"ledger.db.* is locked.*Stop that one.*SQLITE_BUSY"):
            intend(claim, None, "body", "a")
        assert ledger.batches("seats") == []  # reading goes on
        other.close()
        intend(claim, None, "body", "a")


def test_a_writer_waits_for_another_one_within_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger, ledger.claim("seats", "run") as claim:
        code = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); time.sleep(0.5); c.execute('COMMIT')"
        )
        with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            intend(claim, None, "body", "a")
        assert len(ledger.batches("seats")) == 1


def test_a_full_disk_leaves_the_ledger_as_it_was_before_the_step(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger, ledger.claim("seats", "run") as claim:
        batch = intend(claim, None, "body", "a")
        before = picture(ledger, "seats")
        ledger.close()  # idle connections; the next ones may not let the file grow
        engine = ledger.database.engine

        def no_room(connection: sqlite3.Connection, _record: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        event.listen(engine, "connect", no_room)
        many = [NewRejection(str(number), "planhat", "not in the list") for number in range(20_000)]
        with pytest.raises(LedgerUnavailable, match=r"disk is full. Free some space.*SQLITE_FULL"):
            claim.settle(batch.id, {"refused": 20_000}, rejections=many)
        assert picture(ledger, "seats") == before
        event.remove(engine, "connect", no_room)
        ledger.close()
        claim.settle(batch.id, {"refused": 20_000}, rejections=many)
        assert len(ledger.rejections("seats")) == 20_000


def test_a_read_only_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(f"sqlite:///{path}").close()
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    code = (
        "import sys; from planhat_pipelines.ledger import Ledger\n"
        "with Ledger.open(sys.argv[1]) as ledger, ledger.claim('seats', 'run'): pass"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{path}"]
    if os.geteuid() == 0:  # without its capabilities root is held to the file's mode like anybody
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tmp_path.chmod(0o755)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "LedgerUnavailable" in said
    assert "is read-only. Give this user the right to write the file and its folder" in said


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    with pytest.raises(LedgerUnavailable, match=r"is not an SQLite file. Point to another path"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_text() == "not a database " * 100


def test_the_folder_of_the_file_is_made_and_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    Ledger.open(f"sqlite:///{tmp_path / 'a' / 'b' / 'ledger.db'}").close()
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailable, match=r"folder of the ledger, .*/file/sub, can't be used"):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'sub' / 'ledger.db'}")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "ledger.db", "sqlite:///"]
)
def test_a_url_that_is_no_place_for_a_ledger_is_answered_with_the_two_forms(url: str) -> None:
    with pytest.raises(LedgerError, match=r"sqlite:///folder/ledger.db or postgresql\+psycopg://"):
        Ledger.open(url)


def test_a_ledger_of_another_version_is_refused(url: str) -> None:
    with Ledger.open(url) as ledger, ledger.database.write() as connection:
        connection.execute(schema.ledgers.update().values(version=99))
    with pytest.raises(
        LedgerError, match=f"tables of version 99, this program needs version {schema.VERSION}"
    ):
        Ledger.open(url)


def test_an_sqlite_ledger_is_in_wal_mode_and_writes_through_to_the_disk_what_has_to_last(
    tmp_path: Path,
) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for lasting in (True, False, True):
            with ledger.database.write(lasting=lasting) as connection:
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == (2 if lasting else 1)


def test_a_password_never_shows(postgres_server: str) -> None:
    right = sa.make_url(f"{postgres_server}/postgres")
    wrong = [
        right.set(password="hunter2"),
        right.set(port=1, password="hunter2"),
        right.set(database="no_such"),
    ]
    for url in wrong:
        with pytest.raises(LedgerUnavailable, match="could not be used: ") as caught:
            Ledger.open(url.render_as_string(hide_password=False))
        seen = f"{caught.value} {caught.value.__cause__} {caught.value!r}"
        assert "hunter2" not in seen
        assert str(right.password) not in seen


def test_a_server_that_went_away_and_came_back_is_used_again(ledger: Ledger, url: str) -> None:
    if url.startswith("sqlite"):
        ledger.close()
    else:
        with ledger.database.read() as connection:
            own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with Ledger.open(url) as other, other.database.read() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({own})")
    assert ledger.cursor("seats").version == 0


def test_errors_of_the_database_do_not_quote_what_was_written(ledger: Ledger) -> None:
    with ledger.claim("seats", "run") as claim:
        with ledger.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE planhat_rejections")
        with pytest.raises(LedgerUnavailable) as caught:
            claim.reject([NewRejection("secret-key-4711", "map", "empty")])
    assert "4711" not in f"{caught.value} {caught.value.__cause__}"


def test_where_postgres_is_missing_the_tests_say_which_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"install the Debian package postgresql \(apt-get install"):
        postgres.programs(installed=tmp_path)
