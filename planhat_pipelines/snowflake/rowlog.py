"""Runs, batches and rejections as tables of Snowflake, for analysts: made when absent, and merged into by id.

The role needs USAGE on database and schema, CREATE TABLE in the schema (or the tables, made beforehand, with SELECT,
INSERT and UPDATE), and a warehouse. (Snowflake documentation, access control privileges; MERGE.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.snowflake.query import frame_of
from planhat_pipelines.snowflake.staging import staged
from planhat_pipelines.snowflake.tables import Table, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_TIME = "TIMESTAMP_NTZ"  # in UTC
_COUNTS = ("CREATED", "UPDATED", "UNCHANGED", "SUBMITTED", "REFUSED", "PARKED", "HELD", "DUPLICATE")


@dataclass(frozen=True, slots=True)
class LogTable:
    """One table of the log: its columns with their types, and how many of the first ones are its key."""

    name: str
    columns: Mapping[str, str]
    keys: int

    def at(self, database: str, schema: str) -> Table:
        """Where it lies."""
        return Table(database, schema, self.name)

    def create(self, table: Table) -> str:
        """The statement that makes it where it is not there yet."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE IF NOT EXISTS {table.sql} ({columns})"

    def merge(self, table: Table, stage: str) -> str:
        """The statement that takes in staged rows, all of them texts: new ones, and what became of those it has."""
        names = list(self.columns)
        cast = ", ".join(f"{name}::{kind} AS {name}" for name, kind in self.columns.items())
        same = " AND ".join(f"t.{name} = s.{name}" for name in names[: self.keys])
        sets = ", ".join(f"{name} = s.{name}" for name in names[self.keys :])
        return (
            f"MERGE INTO {table.sql} AS t USING (SELECT {cast} FROM {stage}) AS s ON {same} "
            f"WHEN MATCHED THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{name}' for name in names)})"
        )


RUNS = LogTable(
    "PLANHAT_RUNS",
    {
        "SYNC": "VARCHAR",
        "RUN": "VARCHAR",
        "STATE": "VARCHAR",
        "STARTED_AT": _TIME,
        "ENDED_AT": _TIME,
        "ROWS_READ": "NUMBER(38, 0)",
        **dict.fromkeys(_COUNTS, "NUMBER(38, 0)"),
        "REQUESTS": "NUMBER(38, 0)",
        "BACK_CREATED": "NUMBER(38, 0)",
        "BACK_UPDATED": "NUMBER(38, 0)",
        "BACK_REFUSED": "NUMBER(38, 0)",
        "CONFLICTS": "NUMBER(38, 0)",
        "ERROR": "VARCHAR",
    },
    keys=2,
)
BATCHES = LogTable(
    "PLANHAT_BATCHES",
    {
        "BATCH": "VARCHAR",
        "SYNC": "VARCHAR",
        "RUN": "VARCHAR",
        "STATE": "VARCHAR",
        "PURPOSE": "VARCHAR",
        "ITEMS": "NUMBER(38, 0)",
        "INTENDED_AT": _TIME,
        "SETTLED_AT": _TIME,
        **dict.fromkeys(_COUNTS, "NUMBER(38, 0)"),
    },
    keys=1,
)
REJECTIONS = LogTable(
    "PLANHAT_REJECTIONS",
    {
        "SYNC": "VARCHAR",
        "ROW_KEY": "VARCHAR",
        "FIRST_SEEN": _TIME,
        "RECORD_KEY": "VARCHAR",
        "STAGE": "VARCHAR",
        "FIELD": "VARCHAR",
        "REASON": "VARCHAR",
        "RUN": "VARCHAR",
        "LAST_SEEN": _TIME,
        "TIMES": "NUMBER(38, 0)",
        "IS_OPEN": "BOOLEAN",
    },
    keys=3,
)


@dataclass(frozen=True)
class RowLog:
    """The log in one schema. Rows are frames of texts with the columns of their table."""

    session: SnowflakeConnection
    database: str
    schema: str

    def create(self) -> None:
        """Make the tables that are missing."""
        names = frame_of(
            self.session,
            f"SELECT TABLE_NAME AS NAME FROM {quoted(self.database)}.INFORMATION_SCHEMA.TABLES "
            f"WHERE TABLE_SCHEMA = %s",
            [self.schema],
        )
        for each in (RUNS, BATCHES, REJECTIONS):
            if each.name not in names["NAME"]:
                self._execute(each.create(each.at(self.database, self.schema)))

    def last_start(self, sync: str) -> str | None:
        """When the latest run of the sync that the log has began; None if it has none. A run that was at work when it
        was logged counts as the latest."""
        runs = RUNS.at(self.database, self.schema)
        found = frame_of(
            self.session,
            "SELECT TO_VARCHAR(COALESCE(MIN(IFF(STATE = 'running', STARTED_AT, NULL)), MAX(STARTED_AT)), "
            f"'YYYY-MM-DD\"T\"HH24:MI:SS.FF6') AS AT FROM {runs.sql} WHERE SYNC = %s",
            [sync],
        )
        return found.item() if found.height else None

    def merge(self, into: LogTable, rows: pl.DataFrame) -> None:
        """Take rows in; the same rows again change nothing."""
        if rows.height:
            table = into.at(self.database, self.schema)
            with staged(self.session, table, rows) as stage:
                self._execute(into.merge(table, stage))

    def merge_rejections(self, sync: str, still: pl.DataFrame) -> None:
        """Take in what is open of the sync, all of it, and mark all else of the sync as closed."""
        table = REJECTIONS.at(self.database, self.schema)
        if not still.height:
            self._execute(f"UPDATE {table.sql} SET IS_OPEN = FALSE WHERE SYNC = %s AND IS_OPEN", [sync])
            return
        with staged(self.session, table, still) as stage:
            self._execute(REJECTIONS.merge(table, stage))
            closed = (
                f"SELECT r.ROW_KEY, r.FIRST_SEEN FROM {table.sql} AS r LEFT JOIN {stage} AS o "
                f"ON o.ROW_KEY = r.ROW_KEY AND o.FIRST_SEEN::{_TIME} = r.FIRST_SEEN "
                f"WHERE r.SYNC = %s AND r.IS_OPEN AND o.ROW_KEY IS NULL"
            )
            self._execute(
                f"MERGE INTO {table.sql} AS t USING ({closed}) AS s ON t.SYNC = %s AND t.ROW_KEY = s.ROW_KEY "
                f"AND t.FIRST_SEEN = s.FIRST_SEEN WHEN MATCHED THEN UPDATE SET IS_OPEN = FALSE",
                [sync, sync],
            )

    def _execute(self, sql: str, values: Sequence[str] = ()) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(sql, tuple(values) or None)
