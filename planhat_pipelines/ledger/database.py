"""The database under the ledger: opening it safely, one writer at a time, errors a person can act on."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.errors import LedgerError, LedgerUnavailable

_BUSY_SECONDS = 30.0
_POSTGRES_LOCK = 0x706C616E686174  # "planhat", the advisory lock under which the tables are made


class Database:
    """An engine with the ledger's tables in it. Safe to share among threads; not across a fork."""

    def __init__(self, url: str) -> None:
        try:
            self.url = sa.make_url(url)
        except ArgumentError as error:
            raise LedgerError(_FORMS) from error
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.place = self.url.render_as_string(hide_password=True)
        self.engine = self._sqlite() if self.is_sqlite else self._postgres()
        self._writer = self.engine.execution_options(writes="lasting")
        self._scribbler = self.engine.execution_options(writes="passing")
        # SQLite lets one writer in and makes the others poll; threads of one process can queue instead.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()
        try:
            self._create()
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """A connection to read with; every statement sees what is committed by then."""
        with self._explained(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, lasting: bool = True) -> Generator[sa.Connection]:
        """A transaction that is kept whole, or not at all when the block raises. Not `lasting`: a power cut may undo it
        (but no killed process), which for a file spares waiting for the disk."""
        writer = self._writer if lasting else self._scribbler
        with self._explained(), self._turn, writer.begin() as connection:
            yield connection

    def _sqlite(self) -> sa.Engine:
        file = self.url.database
        if not file or file == ":memory:" or file.startswith("file:"):
            raise LedgerError(f"a ledger needs a file that outlives the process. {_FORMS}")
        connect_args = {} if "timeout" in self.url.query else {"timeout": _BUSY_SECONDS}
        engine = sa.create_engine(self.url, connect_args=connect_args, hide_parameters=True)
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine

    def _postgres(self) -> sa.Engine:
        if self.url.get_backend_name() != "postgresql":
            raise LedgerError(_FORMS)
        url = self.url.set(drivername="postgresql+psycopg")
        try:
            return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise LedgerError(
                "a ledger in Postgres needs the psycopg driver: pip install 'planhat-pipelines[postgres]'"
            ) from error

    def _create(self) -> None:
        with self._explained(), self._creation_lock():
            if self.is_sqlite:
                # Only once, by one process: under contention this statement fails in spite of any timeout.
                with self.engine.connect() as connection:
                    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
                    if mode != "wal":
                        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with self._writer.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
                if not sa.inspect(connection).has_table(schema.ledgers.name):
                    schema.metadata.create_all(connection)
                    connection.execute(schema.ledgers.insert().values(id=1, version=schema.VERSION))
                found = connection.execute(sa.select(schema.ledgers.c.version)).scalar_one()
        if found != schema.VERSION:
            raise LedgerError(
                f"the ledger {self.place} has tables of version {found}, this program needs version "
                f"{schema.VERSION}: use the release that wrote it, or a new ledger"
            )

    @contextmanager
    def _creation_lock(self) -> Generator[None]:
        """For SQLite a lock on the folder: it needs no file of its own, and is free when a process dies."""
        if not self.is_sqlite:
            yield
            return
        folder = Path(str(self.url.database)).absolute().parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise LedgerUnavailable(
                f"the folder of the ledger, {folder}, can't be used: {error.strerror}; "
                "create it and give this user the right to write there"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            raise LedgerUnavailable(f"the ledger {self.place} {_what_failed(error)}") from error


_SERVER_TIME = sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double))
_FORMS = "Write it as sqlite:///folder/ledger.db or postgresql+psycopg://user:password@host/database"


def now(connection: sa.Connection) -> float:
    """Seconds since 1970 as all writers of this database see them: by the server's clock, or by this
    machine's for a file."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return connection.scalars(_SERVER_TIME).one()


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    take: Sequence[str] = (),
    change: Mapping[str, Any] | None = None,
) -> None:
    """Insert rows; where the primary key is there already, `take` these columns from the new row and `change`
    others by expression. With neither, the old row stays as it is."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    changes = {name: statement.excluded[name] for name in take} | dict(change or {})
    keys = list(table.primary_key.columns)
    if changes:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(rows))


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses


def _on_sqlite_begin(connection: sa.Connection) -> None:
    if writes := connection.get_execution_options().get("writes"):
        # With FULL, a receipt that was written survives a power cut. A connection keeps the level it was given.
        level = "FULL" if writes == "lasting" else "NORMAL"
        if connection.info.get("synchronous") != level:
            connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
            connection.info["synchronous"] = level
        # Taking the write lock at once: a read that turns into a write can't wait and fails instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _what_failed(error: DBAPIError) -> str:
    code = str(getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or "")
    for start, sentence in _CAUSES.items():
        if code.startswith(start):
            return f"{sentence} ({code})"
    reason = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    return f"could not be used: {reason}. Check its address, the sign-in and that it runs"


_CAUSES = {
    "SQLITE_BUSY": "is locked: another program kept it past the timeout. Stop that one, or use Postgres",
    "SQLITE_LOCKED": "is locked by another connection. Stop the program that keeps it, or use Postgres",
    "SQLITE_FULL": "could not be written: the disk is full. Free some space; nothing of this step was kept",
    "SQLITE_READONLY": "is read-only. Give this user the right to write the file and its folder",
    "SQLITE_CANTOPEN": "can't be opened. Check that the path exists and that this user may write the folder",
    "SQLITE_IOERR": "could not be read or written by the operating system. Check the disk it lies on",
    "SQLITE_NOTADB": "is not an SQLite file. Point to another path; this file was left as it is",
    "SQLITE_CORRUPT": "is damaged. Restore it from a backup",
    "53100": "could not be written: the server's disk is full. Free some space; nothing of this was kept",
    "25006": "is read-only: the server is a standby, or refuses writes. Point to the primary server",
    "42501": "refuses this user: grant it the right to create, read and write tables in the schema",
    "57P": "was shut down while it was used. Check that the server runs, then start again",
}
