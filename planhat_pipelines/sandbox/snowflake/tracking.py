"""Change tracking: a history per table, fed by DuckDB's statement triggers inside the writing transaction.

A history row is one version of one row: a running number, the row's identity, whether this version is there ('I') or
ends it ('D'), the commit it belongs to and a digest, then the table's own columns. Triggers see the rows before and
after a statement, so every INSERT, UPDATE, DELETE, TRUNCATE and COPY is caught, and a rollback leaves nothing.

A deleted or updated row is found in the history by its digest; rows that are alike in every column are
interchangeable. The commit time is filled in after the commit by a connection of its own, which sees committed rows
only: so it follows the order of commits, not of statements.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from planhat_pipelines.sandbox.snowflake.clock import Clock
from planhat_pipelines.sandbox.snowflake.errors import missing_object
from planhat_pipelines.sandbox.snowflake.names import TableName, quoted
from planhat_pipelines.sandbox.snowflake.registry import Facts, Registry
from planhat_pipelines.sandbox.snowflake.views import View, find_view

HIDDEN_SCHEMA = "_fs_information_schema"
EVENTS = ("INSERT", "UPDATE", "DELETE")


class Tracker:
    """Keeps the histories of all tracked tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, registry: Registry, clock: Clock) -> None:
        self._connection = connection
        self._registry = registry
        self._clock = clock
        self._lock = threading.RLock()

    def is_on(self, name: TableName) -> bool:
        """Whether the table's changes are kept."""
        facts = self._registry.get(name)
        return bool(facts and facts.history)

    def switch_on(self, name: TableName) -> None:
        """Keep the table's changes from now on; nothing when they are kept already."""
        with self._lock, self._transaction() as duck:
            if self.is_on(name):
                return
            history = f"_history_{secrets.token_hex(6)}"
            since = self._clock.now()
            table, number = _history_sql(name, history), _next_number(name, history)
            columns = _columns(duck, name)
            duck.execute(f"CREATE SEQUENCE {_sequence_sql(name, history)}")
            duck.execute(
                f"CREATE TABLE {table} AS SELECT {number} AS _ct_number, {number} AS _ct_row, 'I' AS _ct_op, "
                f"?::TIMESTAMPTZ AS _ct_at, {_digest('rows', columns)} AS _ct_digest, rows.* FROM {name.sql} rows",
                [since],
            )
            _create_triggers(duck, name, history)
        self._registry.change(name, history=history, tracked_since=since)

    def switch_off(self, name: TableName) -> None:
        """Stop keeping the table's changes and drop its history."""
        facts = self._registry.get(name)
        if not facts or not facts.history:
            return
        self._registry.change(name, history=None, tracked_since=None)
        with self._lock, self._transaction() as duck:
            _drop_triggers(duck, name)
        self.drop_history(name, facts.history)

    def drop_history(self, name: TableName, history: str) -> None:
        """Drop the history of a table that is gone."""
        with self._lock, self._transaction() as duck:
            duck.execute(f"DROP TABLE IF EXISTS {_history_sql(name, history)}")
            duck.execute(f"DROP SEQUENCE IF EXISTS {_sequence_sql(name, history)}")

    def lift(self, name: TableName) -> None:
        """Take the triggers off, as DuckDB alters no table that has some."""
        with self._lock, self._transaction() as duck:
            _drop_triggers(duck, name)

    def set_back(self, name: TableName) -> None:
        """Put the triggers back after a change of definition, with the history's digests made anew."""
        facts = self._registry.get(name)
        if not facts or not facts.history:
            return
        with self._lock, self._transaction() as duck:
            columns = _columns(duck, name)
            table = _history_sql(name, facts.history)
            duck.execute(f"UPDATE {table} SET _ct_digest = {_digest(table, columns)}")
            _create_triggers(duck, name, facts.history)

    def stamp(self, names: Iterable[TableName], at: datetime | None = None) -> None:
        """Write the commit time onto the history rows of these tables that are committed and have none."""
        with self._lock:
            moment = at or self._clock.now()
            for name in names:
                facts = self._registry.get(name)
                if facts and facts.history:
                    table = _history_sql(name, facts.history)
                    with self._connection.cursor() as duck:
                        duck.execute(f"UPDATE {table} SET _ct_at = ? WHERE _ct_at IS NULL", [moment])

    def history_of(self, name: TableName) -> str:
        """The history's full name in SQL; the table must be tracked."""
        facts = self._registry.get(name)
        return _history_sql(name, (facts and facts.history) or "")

    def view(self, name: TableName) -> View | None:
        """The view of this name, or None."""
        with self._connection.cursor() as duck:
            return find_view(duck, name)

    def track_view(self, name: TableName, on: bool) -> None:
        """Switch tracking of a view; switching it on switches it on for its table as well."""
        view = self.view(name)
        if view is None:
            raise missing_object(str(name))
        if on:
            self.switch_on(view.base)
        now = self._clock.now()
        facts = self._registry.get(name) or Facts(created=now, altered=now, changed=now)
        since = (facts.tracked_since or now) if on else None
        self._registry.put(name, replace(facts, tracked_since=since))

    def columns_of(self, name: TableName) -> list[str]:
        """The table's present columns."""
        with self._connection.cursor() as duck:
            return _columns(duck, name)

    @contextmanager
    def _transaction(self) -> Generator[Any]:
        with self._connection.cursor() as duck:
            duck.begin()
            try:
                yield duck
            except BaseException:
                duck.rollback()
                raise
            duck.commit()


def _history_sql(name: TableName, history: str) -> str:
    return f"{quoted(name.database)}.{HIDDEN_SCHEMA}.{history}"


def _sequence_sql(name: TableName, history: str) -> str:
    return f"{_history_sql(name, history)}_numbers"


def _next_number(name: TableName, history: str) -> str:
    return f"nextval('{_sequence_sql(name, history)}')"


def _columns(duck: Any, name: TableName) -> list[str]:
    return [row[0] for row in duck.execute(f"DESCRIBE {name.sql}").fetchall()]


def _listed(prefix: str, columns: list[str]) -> str:
    return ", ".join(f"{prefix}.{quoted(column)}" for column in columns)


def _digest(prefix: str, columns: list[str]) -> str:
    return f"md5(row({_listed(prefix, columns)})::VARCHAR)"


def _drop_triggers(duck: Any, name: TableName) -> None:
    for event in EVENTS:
        duck.execute(f"DROP TRIGGER IF EXISTS _ct_{event} ON {name.sql}")


def _create_triggers(duck: Any, name: TableName, history: str) -> None:
    columns = _columns(duck, name)
    table, number = _history_sql(name, history), _next_number(name, history)
    _drop_triggers(duck, name)
    bodies = {
        "INSERT": _after_insert(number, columns),
        "UPDATE": _after_update(table, number, columns),
        "DELETE": _after_delete(table, number, columns),
    }
    seen = {
        "INSERT": "NEW TABLE AS _ct_new",
        "UPDATE": "OLD TABLE AS _ct_old NEW TABLE AS _ct_new",
        "DELETE": "OLD TABLE AS _ct_old",
    }
    into = f"(_ct_number, _ct_row, _ct_op, _ct_digest, {', '.join(map(quoted, columns))})"
    for event in EVENTS:
        duck.execute(
            f"CREATE TRIGGER _ct_{event} AFTER {event} ON {name.sql} REFERENCING {seen[event]} "
            f"FOR EACH STATEMENT INSERT INTO {table} {into} {bodies[event]}"
        )


def _after_insert(number: str, columns: list[str]) -> str:
    return f"SELECT {number}, {number}, 'I', {_digest('_ct_new', columns)}, {_listed('_ct_new', columns)} FROM _ct_new"


def _after_update(table: str, number: str, columns: list[str]) -> str:
    """Old and new rows come in the same order, so their positions pair them."""
    pairs = (
        f"SELECT {_digest('_ct_old', columns)} AS _ct_was, {_digest('_ct_new', columns)} AS _ct_is, "
        f"{_listed('_ct_new', columns)} FROM _ct_old POSITIONAL JOIN _ct_new"
    )
    return (
        f"SELECT {number}, known._ct_row, 'I', pair._ct_is, {_listed('pair', columns)} "
        f"FROM (SELECT *, row_number() OVER (PARTITION BY _ct_was) AS _ct_copy FROM ({pairs})) pair "
        f"JOIN ({_known_rows(table, columns)}) known "
        f"ON known._ct_digest = pair._ct_was AND known._ct_copy = pair._ct_copy"
    )


def _after_delete(table: str, number: str, columns: list[str]) -> str:
    gone = (
        f"SELECT *, row_number() OVER (PARTITION BY _ct_was) AS _ct_copy FROM "
        f"(SELECT {_digest('_ct_old', columns)} AS _ct_was, {_listed('_ct_old', columns)} FROM _ct_old)"
    )
    return (
        f"SELECT {number}, known._ct_row, 'D', gone._ct_was, {_listed('gone', columns)} FROM ({gone}) gone "
        f"JOIN ({_known_rows(table, columns)}) known "
        f"ON known._ct_digest = gone._ct_was AND known._ct_copy = gone._ct_copy"
    )


def _known_rows(table: str, columns: list[str]) -> str:
    """The living rows that look like one of the old rows, copies numbered."""
    alike = (
        f"SELECT _ct_row FROM {table} WHERE _ct_digest IN (SELECT {_digest('_ct_old', columns)} FROM _ct_old)"
    )
    newest = (
        f"SELECT _ct_row, _ct_digest, _ct_op FROM {table} WHERE _ct_row IN ({alike}) "
        f"QUALIFY row_number() OVER (PARTITION BY _ct_row ORDER BY _ct_number DESC) = 1"
    )
    return (
        f"SELECT _ct_row, _ct_digest, row_number() OVER (PARTITION BY _ct_digest ORDER BY _ct_row) AS _ct_copy "
        f"FROM ({newest}) WHERE _ct_op = 'I'"
    )
