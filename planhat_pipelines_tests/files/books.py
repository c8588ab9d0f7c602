"""A book of drops in an SQLite file, with the fence that a ledger has: a worker that was taken over writes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from planhat_pipelines.files import FINAL, Drop, Entry, S3Object, State


class TakenOver(Exception):
    pass


class FileBook:
    """Opening it takes the sync over from whoever had it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._open()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS drops (id TEXT PRIMARY KEY, state TEXT, entry TEXT)")
            db.execute(
                "CREATE TABLE IF NOT EXISTS owners (epoch INTEGER PRIMARY KEY AUTOINCREMENT, none TEXT)"
            )
            db.execute("CREATE TABLE IF NOT EXISTS delivered (drop_id TEXT PRIMARY KEY, content BLOB)")
            self._epoch = db.execute("INSERT INTO owners (none) VALUES (NULL)").lastrowid

    def under_way(self) -> Entry | None:
        found = [entry for entry in self.entries() if entry.state not in FINAL]
        assert len(found) <= 1, "two drops are under way"
        return found[0] if found else None

    def done(self, ids: Collection[str]) -> set[str]:
        return {e.drop.id for e in self.entries() if e.state == "done"} & set(ids)

    def write(self, entry: Entry, was: State | None) -> None:
        with closing(self._open()) as db:
            db.execute("BEGIN IMMEDIATE")
            self._check(db)
            row = db.execute("SELECT state FROM drops WHERE id = ?", [entry.drop.id]).fetchone()
            now = row[0] if row else None
            if now != was and not (was is None and now == "superseded"):
                raise TakenOver(f"drop is {now}, not {was}")
            text = json.dumps(asdict(entry), default=str)
            db.execute("INSERT OR REPLACE INTO drops VALUES (?, ?, ?)", [entry.drop.id, entry.state, text])
            db.execute("COMMIT")

    def deliver(self, entry: Entry, content: bytes) -> None:
        """What an import does to the destination: harmless when repeated."""
        with closing(self._open()) as db:
            db.execute("BEGIN IMMEDIATE")
            self._check(db)
            db.execute("INSERT OR IGNORE INTO delivered VALUES (?, ?)", [entry.drop.id, content])
            db.execute("COMMIT")

    def delivered(self) -> list[tuple[str, bytes]]:
        with closing(self._open()) as db:
            return db.execute("SELECT drop_id, content FROM delivered ORDER BY rowid").fetchall()

    def entries(self) -> list[Entry]:
        with closing(self._open()) as db:
            return [
                _entry(json.loads(text)) for (text,) in db.execute("SELECT entry FROM drops ORDER BY rowid")
            ]

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        db.execute("PRAGMA synchronous=OFF")  # processes are killed here, not machines
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT max(epoch) FROM owners").fetchone()[0] != self._epoch:
            raise TakenOver("another worker has this sync")


def _entry(told: dict) -> Entry:
    drop = told.pop("drop")
    found = drop.pop("object")
    found["modified"] = datetime.fromisoformat(found["modified"])
    return Entry(Drop(**drop, object=S3Object(**found)), **told)
