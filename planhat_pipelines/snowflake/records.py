"""Rows of a CRM table: an exact snapshot first, then what changed, by change tracking or by comparing.

A window of change tracking is (from, at]: both ends are literals taken from Snowflake's own clock, cut to
milliseconds, and the end of one window is the start of the next, so nothing is lost or read twice. The end lies a
little in the past when it is read (`lag`), as a commit that is being finished may still get an earlier time. What
comes is the net change by key: the row as it is at the end of the window, or nothing where it is gone.
(Snowflake documentation, CHANGES, AT | BEFORE, change tracking.)

Cursor: `at`, the end of the last window; `full_at`, that of the last whole reading; `high`, for `updated_at`, the
highest value read; `commit`, the table's last commit before the reading; `meaning`, what the rows meant to the reader.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from planhat_pipelines.snowflake.account import COMMIT_LAG
from planhat_pipelines.snowflake.merge import likeness
from planhat_pipelines.snowflake.query import frame_of, last_commit, one_row
from planhat_pipelines.snowflake.staging import staged
from planhat_pipelines.snowflake.tables import Column, Table, quoted, resolve

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

PIECE_ROWS = 100_000
_KEYS_A_QUERY = 1_000
_UNREADABLE = {707, 91930, 91912}  # the window lies before tracking, creation or retention
_LATE_SECONDS = 600  # how far behind the highest `updated_at` to look again
_VALUE = "\0"
WAS = "__was"
"""Column of a table with `guards`: what its row is like, to write it only while it still is."""
_TIMES = "__times"
_TIME = "YYYY-MM-DD HH24:MI:SS.FF3"

Changes = Literal["change_tracking", "snapshot_diff", "updated_at"]


@dataclass
class RecordsTable:
    """A table or view with a unique key, as the source of one run, which reads one window of it.

    Frames carry `row` (the key as text, null where a row has none), `copies` (how many rows have the key; 0 for a row
    that is gone) and the mapped columns under the names the user wrote. With `key_as`, rows are known by `email#` and
    the start of a hash of the key, an e-mail address that is not to be kept, and the key itself has a column by that
    name. With `guards` there is WAS.
    """

    session: SnowflakeConnection
    table: Table
    key: str
    columns: Sequence[str]
    row: str
    copies: str
    changes: Changes = "change_tracking"
    updated_at: str | None = None
    full_every: float | None = None  # seconds
    full: bool = False  # read the whole table now
    meaning: Sequence[
        str
    ] = ()  # what the rows mean to the reader; when it changes, all of them are read again
    key_as: str | None = None
    guards: Sequence[str] = ()  # columns that may be written to
    lag: float = COMMIT_LAG
    log: Callable[[str], None] = lambda _: None
    _read: bool = False

    @cached_property
    def shape(self) -> dict[str, Column]:
        """The table's columns. Raises NotFound."""
        return self.table.columns(self.session)

    @cached_property
    def key_sql(self) -> str:
        """The key as text in a statement; a blank one is none."""
        return f"NULLIF(TRIM(TO_VARCHAR({quoted(resolve(self.key, self.shape, self.table).name)})), '')"

    @property
    def row_sql(self) -> str:
        """What a row is known by, in a statement."""
        return f"'email#' || LEFT(SHA2({self.key_sql}, 256), 16)" if self.key_as else self.key_sql

    @cached_property
    def selected(self) -> dict[str, str]:
        """The columns of a frame besides `row` and `copies`, and what they are in a statement."""
        mapped = {name: quoted(resolve(name, self.shape, self.table).name) for name in self.columns}
        known = {self.key_as: self.key_sql} if self.key_as else {}
        guarded = [quoted(resolve(name, self.shape, self.table).name) for name in self.guards]
        return known | mapped | ({WAS: likeness(guarded)} if guarded else {})

    @property
    def selection(self) -> str:
        """The same as the end of a list of columns."""
        return "".join(f", {sql} AS {quoted(name)}" for name, sql in self.selected.items())

    @property
    def unreadable(self) -> Sequence[str]:
        """A table that cannot be read is an error."""
        return ()

    def claimed(self, claim: object) -> None:
        """A table is only read."""

    def changed(self, cursor: dict[str, Any] | None) -> bool:
        """Whether a run may find something; asks for the last commit, which starts no warehouse."""
        if cursor is None or self._full_is_due(cursor):
            return True
        commit = last_commit(self.session, self.table)
        return commit is None or commit != cursor["commit"]

    def next(self, cursor: dict[str, Any] | None) -> RecordsIncrement | None:
        """The window after `cursor`; the whole table at first, when a window is lost, and when it is due."""
        if self._read:
            return None
        self._read = True
        commit = last_commit(self.session, self.table)
        full_is_due = cursor is None or self._full_is_due(cursor)
        if cursor and not full_is_due and commit is not None and commit == cursor["commit"]:
            return None
        at = self._server_time()
        time.sleep(self.lag)
        if cursor is None or full_is_due or self.changes == "snapshot_diff":
            return self._full(at, commit, cursor)
        if cursor.get("at") == at:
            return None
        if self.changes == "updated_at":
            return self._updated(at, commit, cursor)
        return self._tracked(at, commit, cursor)

    def again(self, bounds: dict[str, Any]) -> RecordsIncrement | None:
        """A window that was begun and not finished; None when its history is gone by now."""
        clause = bounds.get("window") or bounds.get("point")
        if clause and self._refusal(clause) is not None:
            return None
        return RecordsIncrement(self, bounds)

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Rows by key, as they are now; one frame at least, which may be empty. Many are asked for through a table of
        their keys, where the sync writes to Snowflake anyway and may make one."""
        if self.guards and len(keys) > _KEYS_A_QUERY:
            for start in range(0, len(keys), PIECE_ROWS):
                some = pl.DataFrame({"K": keys[start : start + PIECE_ROWS]}, schema={"K": pl.String})
                with staged(self.session, self.table, some) as stage:
                    yield self._once(self.page("", f"{self.row_sql} IN (SELECT K FROM {stage})", ()))
            return
        for start in range(0, len(keys), _KEYS_A_QUERY) or (0,):
            some = list(keys[start : start + _KEYS_A_QUERY])
            places = ", ".join([_VALUE] * len(some)) or "NULL"
            yield self._once(self.page("", f"{self.row_sql} IN ({places})", some))

    def _once(self, page: pl.DataFrame) -> pl.DataFrame:
        copies = pl.len().over(self.row).cast(pl.Int64).alias(self.copies)
        return page.with_columns(copies).unique(self.row, keep="first", maintain_order=True)

    def page(self, point: str, where: str, values: Sequence[str], limit: str = "") -> pl.DataFrame:
        """One page of rows at a point in time, in the order of the key as text."""
        return self.frame(
            f"SELECT {self.row_sql} AS {quoted(self.row)}, 1 AS {quoted(self.copies)}{self.selection} "
            f"FROM {self.table.sql}{point} WHERE {where} ORDER BY 1 {limit}",
            values,
        )

    def frame(self, sql: str, values: Sequence[str]) -> pl.DataFrame:
        """The rows of a statement, which has _VALUE where a value goes: a name may have a % of its own."""
        filled = sql.replace("%", "%%").replace(_VALUE, "%s") if values else sql
        found = frame_of(self.session, filled, values)
        return found.with_columns(pl.col(self.row).cast(pl.String), pl.col(self.copies).cast(pl.Int64))

    # -- windows

    def _full(self, at: str, commit: str | None, cursor: dict[str, Any] | None) -> RecordsIncrement:
        if cursor is not None:
            why = (
                ""
                if self._means_the_same(cursor)
                else "the mapping, or a field's list of values, has changed; "
            )
            self.log(f"{self.table}: {why}reading the whole table and comparing it with what was sent")
        point = _at(at) if self._can_read_at(at) else ""
        high = self._highest() if self.changes == "updated_at" else None
        return RecordsIncrement(
            self, self._bounds(kind="full", point=point, at=at, full_at=at, commit=commit, high=high)
        )

    def _tracked(self, at: str, commit: str | None, cursor: dict[str, Any]) -> RecordsIncrement:
        window = _window(cursor["at"], at)
        error = self._refusal(window)
        if error is not None:
            self.log(f"{self.table}: {error} {self._advice()}")
            return self._full(at, commit, cursor)
        bounds = {"kind": "changes", "window": window, "point": _at(at), "at": at, "commit": commit}
        return RecordsIncrement(self, self._bounds(**bounds, full_at=cursor["full_at"], high=None))

    def _updated(self, at: str, commit: str | None, cursor: dict[str, Any]) -> RecordsIncrement:
        column = resolve(self.updated_at or "", self.shape, self.table)
        since = ""
        if cursor.get("high"):
            since = f"{quoted(column.name)} >= DATEADD(second, -{_LATE_SECONDS}, '{cursor['high']}'::{column.type})"
        bounds = {"kind": "updated", "since": since or "TRUE", "at": at, "commit": commit}
        return RecordsIncrement(
            self, self._bounds(**bounds, full_at=cursor["full_at"], high=self._highest() or cursor["high"])
        )

    def _bounds(self, **bounds: Any) -> dict[str, Any]:
        return {**bounds, "meaning": list(self.meaning)}

    def _means_the_same(self, cursor: dict[str, Any]) -> bool:
        """Whoever only asks whether a run is due may know less of the meaning, but not otherwise."""
        return cursor.get("meaning", [])[: len(self.meaning)] == list(self.meaning)

    def _full_is_due(self, cursor: dict[str, Any]) -> bool:
        if self.full or not cursor.get("full_at") or not self._means_the_same(cursor):
            return True
        if self.full_every is None:
            return False
        return _parsed(self._server_time()) - _parsed(cursor["full_at"]) >= timedelta(seconds=self.full_every)

    def _server_time(self) -> str:
        (now,) = one_row(
            self.session, f"SELECT TO_VARCHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), '{_TIME}')"
        )
        return f"{now} +0000"

    def _highest(self) -> str | None:
        column = resolve(self.updated_at or "", self.shape, self.table)
        (high,) = one_row(
            self.session, f"SELECT TO_VARCHAR(MAX({quoted(column.name)})) FROM {self.table.sql}"
        )
        return high

    def _can_read_at(self, at: str) -> bool:
        """Time travel may be off (no retention) or reach too short; then the table is read as it stands."""
        return self._refusal(_at(at)) is None

    def _refusal(self, point: str) -> str | None:
        """Why the table cannot be read at a point or over a window, as its history is gone; None when it can."""
        from snowflake.connector.errors import ProgrammingError

        try:
            one_row(self.session, f"SELECT 1 FROM {self.table.sql}{point} AS p LIMIT 1")
        except ProgrammingError as error:
            if error.errno not in _UNREADABLE:
                raise
            return f"the changes since the last run cannot be read any more ({error.errno:06d})."
        return None

    def _advice(self) -> str:
        return (
            "Was the table replaced, its history too old, or tracking off? The owner can switch it on with: "
            f"ALTER TABLE {self.table.sql} SET CHANGE_TRACKING = TRUE;"
        )


@dataclass
class RecordsIncrement:
    """One window of a records table. `whole`: every row of the table is in it, so what is missing is gone."""

    table: RecordsTable
    bounds: dict[str, Any]

    @property
    def whole(self) -> bool:
        return self.bounds["kind"] == "full"

    def pieces(self) -> Iterator[pl.DataFrame]:
        """The rows, at most PIECE_ROWS at a time, in the order of the key."""
        read = {"full": self._rows, "updated": self._rows, "changes": self._changes}[self.bounds["kind"]]
        yield from read()

    def cursor(self) -> dict[str, Any]:
        """The place after this window."""
        return {name: self.bounds.get(name) for name in ("at", "full_at", "high", "commit", "meaning")}

    def _rows(self) -> Iterator[pl.DataFrame]:
        table, point = self.table, self.bounds.get("point", "")
        since = self.bounds.get("since", "TRUE")
        doubled = self._doubled(point)
        yield from self._nameless(point, since)
        last = ""
        while True:
            page = table.page(point, f"{table.row_sql} > {_VALUE} AND {since}", [last], f"LIMIT {PIECE_ROWS}")
            if page.height:
                last = page[table.row][-1]
                yield self._with_copies(page, doubled)
            if page.height < PIECE_ROWS:
                return

    def _changes(self) -> Iterator[pl.DataFrame]:
        table = self.table
        yield from self._nameless(self.bounds["window"], "METADATA$ACTION = 'INSERT'")
        key, copies = quoted(table.row), quoted(table.copies)
        keys = (
            f"SELECT DISTINCT {table.row_sql} AS {key} FROM {table.table.sql}{self.bounds['window']} "
            f"WHERE {table.row_sql} IS NOT NULL"
        )
        now = f"SELECT {table.row_sql} AS {key}{table.selection} FROM {table.table.sql}{self.bounds['point']}"
        mapped = "".join(f", n.{quoted(name)}" for name in table.selected)
        last = ""
        while True:
            page = table.frame(
                f"SELECT c.{key}, COUNT(n.{key}) OVER (PARTITION BY c.{key}) AS {copies}{mapped} "
                f"FROM ({keys}) AS c LEFT JOIN ({now}) AS n ON n.{key} = c.{key} "
                f"WHERE c.{key} > {_VALUE} ORDER BY 1 LIMIT {PIECE_ROWS}",
                [last],
            )
            if page.height:
                last = page[table.row][-1]
                yield page.unique(table.row, keep="first", maintain_order=True)
            if page.height < PIECE_ROWS:
                return

    def _nameless(self, point: str, where: str) -> Iterator[pl.DataFrame]:
        """Rows without a key, which nobody can find again. They are all refused for the same reason and cannot be paged
        through, so they are counted, and come without their values."""
        table = self.table
        counted = table.frame(
            f"SELECT {table.row_sql} AS {quoted(table.row)}, COUNT(*) OVER () AS {quoted(table.copies)}"
            f"{table.selection} FROM {table.table.sql}{point} WHERE {table.row_sql} IS NULL AND {where} LIMIT 1",
            (),
        )
        rows = int(counted[table.copies].sum())
        for start in range(0, rows, PIECE_ROWS):
            empty = counted.clear(min(PIECE_ROWS, rows - start))
            yield empty.with_columns(pl.lit(1, pl.Int64).alias(table.copies))

    def _doubled(self, point: str) -> pl.DataFrame:
        key = quoted(self.table.row)
        found = frame_of(
            self.table.session,
            f"SELECT {self.table.row_sql} AS {key}, COUNT(*) AS {quoted(_TIMES)} FROM {self.table.table.sql}{point} "
            f"GROUP BY 1 HAVING COUNT(*) > 1",
        )
        return found.select(pl.col(self.table.row).cast(pl.String), pl.col(_TIMES).cast(pl.Int64))

    def _with_copies(self, page: pl.DataFrame, doubled: pl.DataFrame) -> pl.DataFrame:
        """One row a key, with the number of rows that share it."""
        if not doubled.height:
            return page
        row, copies = self.table.row, self.table.copies
        once = page.unique(row, keep="first", maintain_order=True).join(
            doubled, on=row, how="left", maintain_order="left"
        )
        return once.with_columns(pl.coalesce(_TIMES, copies).alias(copies)).drop(_TIMES)


def _at(moment: str) -> str:
    return f" AT(TIMESTAMP => '{moment}'::TIMESTAMP_TZ)"


def _window(start: str, end: str) -> str:
    return (
        f" CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => '{start}'::TIMESTAMP_TZ) "
        f"END(TIMESTAMP => '{end}'::TIMESTAMP_TZ)"
    )


def _parsed(moment: str) -> datetime:
    return datetime.strptime(moment, "%Y-%m-%d %H:%M:%S.%f %z")
