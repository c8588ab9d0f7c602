"""The file behind the sandbox: one SQLite database and the one thread that talks to it.

A single thread makes every request a transaction of its own and keeps the event loop free. Writes survive the death of
the process, not of the machine.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson

from planhat_pipelines.planhat.catalogue import MODELS

T = TypeVar("T")
Doc = dict[str, Any]

# one collection per path; a note lives among the conversations
COLLECTIONS: tuple[str, ...] = tuple(dict.fromkeys(model.path for model in MODELS.values()))
KEY_COLUMNS = {"sourceId": "source", "externalId": "external", "email": "email"}

_RECORDS = """
create table if not exists "{0}" (
    id text primary key, company text not null, external text, source text, email text,
    archived integer not null, updated text not null, born integer not null, doc text not null);
create index if not exists "{0}_external" on "{0}" (external) where external is not null;
create index if not exists "{0}_source" on "{0}" (source) where source is not null;
create index if not exists "{0}_email" on "{0}" (email) where email is not null;
create index if not exists "{0}_company" on "{0}" (company);
create index if not exists "{0}_updated" on "{0}" (updated);
"""
_OTHERS = """
create table if not exists domains (domain text not null, company text not null, primary key (domain, company));
create table if not exists targets (
    tid integer primary key, model text not null, record text not null, company text not null, external text not null,
    unique (model, record));
create index if not exists targets_company on targets (company);
create table if not exists dimensions (did integer primary key, name text not null unique);
create table if not exists points (
    seq integer primary key, tid integer not null, did integer not null, day integer not null, ms integer not null,
    value not null, received integer not null);
create index if not exists points_target on points (tid, did, day);
create table if not exists activities (
    seq integer primary key, enduser text not null, company text not null, ms integer not null,
    received integer not null, doc text not null);
create index if not exists activities_company on activities (company, ms);
create table if not exists dropped (
    seq integer primary key, at integer not null, kind text not null, reason text not null, item text not null);
create table if not exists settings (name text primary key, value text not null);
"""


class Store:
    """Opens (or makes) the database in `folder`. `run` is the only way in for the event loop."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "planhat.sqlite"
        self.path.touch(mode=0o600)  # it holds tokens
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.db: sqlite3.Connection = self._thread.submit(self._open).result()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None)
        for pragma in ("journal_mode=wal", "synchronous=off", "cache_size=-65536", "temp_store=memory"):
            db.execute(f"pragma {pragma}")
        for collection in COLLECTIONS:
            db.executescript(_RECORDS.format(collection))
        db.executescript(_OTHERS)
        return db

    async def run(self, work: Callable[..., T], *args: Any, **options: Any) -> T:
        """Do `work` in the store's thread, as one transaction."""
        job = partial(self._transaction, partial(work, *args, **options))
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def call(self, work: Callable[..., T], *args: Any) -> T:
        """The same from outside an event loop; blocks."""
        return self._thread.submit(self._transaction, partial(work, *args)).result()

    def _transaction(self, work: Callable[[], T]) -> T:
        self.db.execute("begin")
        try:
            result = work()
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")
        return result

    def close(self) -> None:
        self._thread.submit(self.db.close).result()
        self._thread.shutdown()

    # the rest runs in the store's thread

    def setting(self, name: str, default: Any = None) -> Any:
        row = self.db.execute("select value from settings where name = ?", (name,)).fetchone()
        return orjson.loads(row[0]) if row else default

    def set_setting(self, name: str, value: Any) -> None:
        self.db.execute("insert or replace into settings values (?, ?)", (name, orjson.dumps(value).decode()))

    def drop(self, kind: str, reasons: Iterable[tuple[str, Any]]) -> None:
        """Remember what was thrown away in silence, and why, for the admin view."""
        now = time.time_ns() // 1_000_000
        rows = [(now, kind, reason, orjson.dumps(item).decode()) for reason, item in reasons]
        self.db.executemany("insert into dropped (at, kind, reason, item) values (?, ?, ?, ?)", rows)

    def wipe(self) -> None:
        """Forget all data; tokens, tenant and switches stay."""
        for table in (*COLLECTIONS, "domains", "targets", "dimensions", "points", "activities", "dropped"):
            self.db.execute(f'delete from "{table}"')


def many(values: Iterable[Any]) -> str:
    """A list as one bound parameter: `where x in (select value from json_each(?))`."""
    return orjson.dumps(list(values)).decode()


def as_doc(value: Any) -> Doc | None:
    """A parsed JSON value, if it is an object."""
    return cast("Doc", value) if isinstance(value, dict) else None


def iso(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z, as Planhat writes dates."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def iso_ms(ms: int) -> str:
    return iso(datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000))


def now_iso() -> str:
    return iso(datetime.now(UTC))


_PROCESS = os.urandom(5).hex()
_COUNTER = itertools.count(int.from_bytes(os.urandom(2)))


def new_id() -> str:
    """24 hex digits that grow with time, in the manner of a Mongo ObjectId."""
    return f"{int(time.time()):08x}{_PROCESS}{next(_COUNTER) & 0xFFFFFF:06x}"
