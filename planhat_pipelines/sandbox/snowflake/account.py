"""The account behind the server: its databases on DuckDB, the same for all sessions."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import info_schema, macros
from fakesnow.transforms import show, stage

from planhat_pipelines.sandbox.snowflake import catalogue
from planhat_pipelines.sandbox.snowflake.bounded import Bounded
from planhat_pipelines.sandbox.snowflake.clock import Clock
from planhat_pipelines.sandbox.snowflake.names import TableName
from planhat_pipelines.sandbox.snowflake.registry import Registry
from planhat_pipelines.sandbox.snowflake.tracking import Tracker

GLOBAL = "_fs_global"
RESULTS_KEPT = 8
RESULT_PARTS_KEPT = 128
STATEMENTS_KEPT = 10_000


class Account:
    """Attaches every database of `folder` (none: in memory) and hands out DuckDB connections onto them.

    The database named by GLOBAL holds what fakesnow knows of comments, text lengths and stages; here it is a file as
    well, so that it survives a restart.
    """

    def __init__(self, folder: Path | None, *, real_world: bool = False) -> None:
        self.folder = folder
        self.real_world = real_world
        self.result_parts: dict[str, bytes] = Bounded(RESULT_PARTS_KEPT)
        self.clock = Clock()
        self.lock = threading.RLock()
        self.completed: dict[str, datetime] = Bounded(STATEMENTS_KEPT)
        self.results: dict[str, tuple[Any, ...]] = Bounded(RESULTS_KEPT)
        self.revoked: set[tuple[str, Any]] = set()
        # sqlglot still writes arrow lambdas for DuckDB
        self.duckdb = duckdb.connect(":memory:", config={"lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self.duckdb.execute("SET GLOBAL TimeZone = 'UTC'")
        self._attach(GLOBAL)
        self.duckdb.execute(info_schema.fs_global_creation_sql())
        self.duckdb.execute(show.fs_global_creation_sql())
        words = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        self.reserved_words = {row[0] for row in self.duckdb.execute(words).fetchall()}
        self.registry = Registry(self.duckdb)
        self.tracker = Tracker(self.duckdb, self.registry, self.clock)
        self.duckdb.execute(catalogue.SHOW_TABLES)
        self.duckdb.execute(catalogue.SHOW_VIEWS)
        # for sessions that have no database yet
        self.duckdb.execute(macros.creation_sql("memory"))
        if folder:
            for file in sorted(folder.glob("*.db")):
                if file.stem != GLOBAL:
                    self.open_database(file.stem)
        # what was committed just before the server was killed
        self.tracker.stamp(self.registry.tracked())

    def has_database(self, name: str) -> bool:
        """Whether a database of this name (upper case) exists."""
        sql = "SELECT 1 FROM duckdb_databases() WHERE database_name = ?"
        return self._one(sql, [name]) is not None

    def has_schema(self, database: str, schema: str) -> bool:
        """Whether a schema of this name (upper case) exists in the database."""
        sql = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
        return self._one(sql, [database, schema]) is not None

    def open_database(self, name: str) -> None:
        """Attach a database, making it when it is not there, with its PUBLIC schema and information schema."""
        self._attach(name)
        with self.duckdb.cursor() as cursor:
            cursor.execute(info_schema.per_db_creation_sql(name))
            cursor.execute(macros.creation_sql(name))
            cursor.execute(catalogue.information_schema_tables(name))
            cursor.execute(catalogue.information_schema_columns(name))
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {name}.PUBLIC")

    def open_schema(self, database: str, schema: str) -> None:
        """Make a schema when it is not there."""
        with self.duckdb.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {database}.{schema}")

    def drop_database(self, name: str) -> None:
        """Let go of a database and remove its files."""
        with self.duckdb.cursor() as cursor:
            cursor.execute(f"DETACH {name}")
        if self.folder:
            for file in (f"{name}.db", f"{name}.db.wal"):
                (self.folder / file).unlink(missing_ok=True)

    def record_commit(self, tables: Iterable[TableName]) -> datetime:
        """Note that a commit changed the rows of these tables; the commit's moment."""
        with self.lock:
            now = self.clock.now()
            changed = list(tables)
            self.tracker.stamp(changed, now)
            for name in changed:
                self.registry.change(name, changed=now)
            return now

    def close(self) -> None:
        """Stop running statements and write everything to the files; let go of what was put on stages."""
        self.duckdb.close()
        shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)

    def _attach(self, name: str) -> None:
        file = self.folder / f"{name}.db" if self.folder else ":memory:"
        with self.duckdb.cursor() as cursor:
            cursor.execute(f"ATTACH IF NOT EXISTS '{file}' AS {name}")

    def _one(self, sql: str, parameters: list[str]) -> Any:
        with self.duckdb.cursor() as cursor:
            return cursor.execute(sql, parameters).fetchone()
