"""What the server knows of each table beside DuckDB's catalogue: when it was made and changed, and its tracking."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

import duckdb

from planhat_pipelines.sandbox.snowflake.names import TableName

FACTS = "_fs_global._fs_information_schema._table_facts"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {FACTS} (
    database_name VARCHAR, schema_name VARCHAR, table_name VARCHAR,
    created TIMESTAMPTZ, altered TIMESTAMPTZ, changed TIMESTAMPTZ,
    retention_days INTEGER, history VARCHAR, tracked_since TIMESTAMPTZ,
    PRIMARY KEY (database_name, schema_name, table_name)
)"""

GUARDS = "_fs_global._fs_information_schema._column_guards"
"""Which masking policies and tags columns have."""
_GUARDS_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {GUARDS} (
    database_name VARCHAR, schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR,
    kind VARCHAR, name VARCHAR, value VARCHAR,
    PRIMARY KEY (database_name, schema_name, table_name, column_name, kind, name)
)"""


@dataclass(frozen=True, slots=True)
class Facts:
    """One table. `altered`: last definition; `changed`: last commit that changed rows; `history`: set while tracked."""

    created: datetime
    altered: datetime
    changed: datetime
    retention_days: int = 1
    history: str | None = None
    tracked_since: datetime | None = None


class Registry:
    """The facts of all tables, in memory and written through to a table, so that they survive a restart."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection.cursor()
        self._connection.execute(SCHEMA)
        self._connection.execute(_GUARDS_SCHEMA)
        self._lock = threading.RLock()
        self._facts: dict[TableName, Facts] = {}
        for database, schema, table, *values in self._connection.execute(f"FROM {FACTS}").fetchall():
            self._facts[TableName(database, schema, table)] = Facts(*values)

    def get(self, name: TableName) -> Facts | None:
        """The facts of a table, or None when there is no such table."""
        return self._facts.get(name)

    def tracked(self) -> dict[TableName, Facts]:
        """The tables with change tracking on."""
        with self._lock:
            return {name: facts for name, facts in self._facts.items() if facts.history}

    def within(self, database: str, schema: str | None = None) -> list[TableName]:
        """The tables of a database or of one of its schemas."""
        with self._lock:
            return [
                name for name in self._facts if name.database == database and schema in (None, name.schema)
            ]

    def put(self, name: TableName, facts: Facts) -> None:
        """Set the facts of a table."""
        values: dict[str, Any] = asdict(facts)
        marks = ", ".join("?" for _ in range(len(name) + len(values)))
        with self._lock:
            self._facts[name] = facts
            self._connection.execute(
                f"INSERT OR REPLACE INTO {FACTS} VALUES ({marks})", [*name, *values.values()]
            )

    def change(self, name: TableName, **values: Any) -> None:
        """Change some facts of a table; nothing when it is not known."""
        unknown = values.keys() - {field.name for field in fields(Facts)}
        if unknown:
            raise TypeError(f"no such facts: {sorted(unknown)}")
        with self._lock:
            if facts := self._facts.get(name):
                self.put(name, replace(facts, **values))

    def forget(self, name: TableName) -> None:
        """Drop a table's facts."""
        with self._lock:
            self._facts.pop(name, None)
            where = "database_name = ? AND schema_name = ? AND table_name = ?"
            for table in (FACTS, GUARDS):
                self._connection.execute(f"DELETE FROM {table} WHERE {where}", list(name))

    def rename(self, old: TableName, new: TableName) -> None:
        """Carry a table's facts over to its new name."""
        with self._lock:
            facts = self._facts.get(old)
            self.forget(old)
            if facts:
                self.put(new, facts)
