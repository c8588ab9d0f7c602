"""Usage rows by incrementing key: what is new, in bounded windows and pieces, late commits included.

A key grows, but rows become visible in the order of their commits, and Snowflake hands out sequence values out
of order (NOORDER) unless told otherwise. So each window looks `overlap` keys behind the cursor again, and the
cursor carries the keys of that stretch that were already read. (Snowflake documentation, AUTOINCREMENT.)

Cursor: `key`, the highest key read; `seen`, spans of keys read that lie above `floor`, which is `overlap` below it;
`commit`, the table's last commit before the read, by which a tick sees without a warehouse that nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from planhat_pipelines.snowflake.errors import KeyColumnError
from planhat_pipelines.snowflake.query import frame_of, last_commit, one_row
from planhat_pipelines.snowflake.spans import Spans
from planhat_pipelines.snowflake.tables import WHOLE_NUMBERS, Column, Table, quoted, resolve

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

WINDOW_ROWS = 1_000_000
PIECE_ROWS = 100_000
_KEYS_A_QUERY = 5_000
_KEY = "__key"


@dataclass(frozen=True)
class UsageTable:
    """A table or view with a unique, whole-number, incrementing key, as a source.

    columns: the names the mapping reads, as the user wrote them; frames carry them under these names.
    row: the name of the text column of row keys in the frames.
    """

    session: SnowflakeConnection
    table: Table
    key: str
    columns: Sequence[str]
    overlap: int
    row: str

    @cached_property
    def shape(self) -> dict[str, Column]:
        """The table's columns. Raises NotFound."""
        return self.table.columns(self.session)

    @cached_property
    def key_column(self) -> Column:
        """The key. Raises NotFound, or KeyColumnError when it is no whole number."""
        column = resolve(self.key, self.shape, self.table)
        if column.type not in WHOLE_NUMBERS or column.scale:
            kind = f"{column.type} with {column.scale} decimals" if column.scale else column.type
            raise KeyColumnError(
                f"{self.table}: the incrementing key {column.name} is {kind}; it has to be a whole number, "
                f"NUMBER(38,0) or narrower. Choose another column or a view that has one."
            )
        return column

    @property
    def unreadable(self) -> Sequence[str]:
        """A table that cannot be read is an error."""
        return ()

    def claimed(self, claim: object) -> None:
        """A table is only read."""

    def changed(self, cursor: dict[str, Any] | None) -> bool:
        """Whether a run may find something. Where Snowflake tells the last commit, no warehouse is needed."""
        if cursor is not None and (commit := last_commit(self.session, self.table)) is not None:
            return commit != cursor["commit"]
        return self.next(cursor) is not None

    def next(self, cursor: dict[str, Any] | None) -> UsageIncrement | None:
        """The rows after `cursor`, at most WINDOW_ROWS and the late ones behind it. It may turn out empty, which
        only moves the cursor's `commit`. Raises KeyColumnError."""
        commit = last_commit(self.session, self.table)
        if cursor is not None and commit is not None and commit == cursor["commit"]:
            return None
        self._no_null_keys()
        last, low, seen = None, None, Spans.of()
        late = 0
        if cursor:
            # Of what lies deeper nobody knows what was read, so a larger overlap takes effect as the key grows.
            last, seen = int(cursor["key"]), Spans.of(cursor["seen"])
            low = max(last - self.overlap, int(cursor["floor"]))
            late = self._late(low, last, seen)
        rows, high = self._fresh(last)
        if not rows and not late and (commit is None or last is None):
            return None
        return UsageIncrement(
            self,
            {
                "low": low,
                "high": last if high is None else high,
                "seen": seen.to_json(),
                "commit": commit if rows < WINDOW_ROWS else None,
            },
        )

    def again(self, bounds: dict[str, Any]) -> UsageIncrement:
        """A window that was begun and not finished."""
        return UsageIncrement(self, bounds)

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Rows by key, as they are now; one frame at least, which may be empty."""
        for at in range(0, len(keys), _KEYS_A_QUERY) or (0,):
            some = ", ".join(str(int(key)) for key in keys[at : at + _KEYS_A_QUERY]) or "NULL"
            yield self._frame(f"WHERE {self._key} IN ({some}) ORDER BY {self._key}").drop(_KEY)

    @property
    def _key(self) -> str:
        return quoted(self.key_column.name)

    @cached_property
    def _selection(self) -> str:
        mapped = [
            f"{quoted(resolve(name, self.shape, self.table).name)} AS {quoted(name)}"
            for name in dict.fromkeys(self.columns)
        ]
        return ", ".join([f"{self._key} AS {quoted(_KEY)}", *mapped])

    def _frame(self, where: str) -> pl.DataFrame:
        found = frame_of(self.session, f"SELECT {self._selection} FROM {self.table.sql} {where}")
        return found.with_columns(
            pl.col(_KEY).cast(pl.Int64), pl.col(_KEY).cast(pl.Int64).cast(pl.String).alias(self.row)
        )

    def read(self, low: int | None, high: int) -> Iterator[pl.DataFrame]:
        """All rows with low < key <= high in the order of the key, PIECE_ROWS at a time, with the key in `KEY`."""
        while True:
            above = "" if low is None else f"{self._key} > {low} AND "
            piece = self._frame(f"WHERE {above}{self._key} <= {high} ORDER BY {self._key} LIMIT {PIECE_ROWS}")
            if piece.height:
                yield piece
                low = int(piece[_KEY][-1])
            if piece.height < PIECE_ROWS:
                return

    def _no_null_keys(self) -> None:
        (nulls,) = one_row(self.session, f"SELECT COUNT(*) FROM {self.table.sql} WHERE {self._key} IS NULL")
        if nulls:
            raise KeyColumnError(
                f"{self.table}: {nulls} rows have no {self.key_column.name}, so they could never be read in "
                f"order. Fill the key, or read a view that leaves them out. The cursor has not moved."
            )

    def _late(self, low: int, last: int, seen: Spans) -> int:
        keys = frame_of(
            self.session,
            f"SELECT {self._key} AS {quoted(_KEY)} FROM {self.table.sql} "
            f"WHERE {self._key} > {low} AND {self._key} <= {last}",
        )[_KEY].cast(pl.Int64)
        if keys.is_duplicated().any():
            raise self._repeated(low, last)
        return int((~seen.holds(keys)).sum())

    def _fresh(self, last: int | None) -> tuple[int, int | None]:
        above = "" if last is None else f"WHERE {self._key} > {last} "
        rows, distinct, high = one_row(
            self.session,
            f"SELECT COUNT(*), COUNT(DISTINCT {self._key}), MAX({self._key}) FROM "
            f"(SELECT {self._key} FROM {self.table.sql} {above}ORDER BY {self._key} LIMIT {WINDOW_ROWS})",
        )
        if rows != distinct:
            raise self._repeated(last, int(high))
        return int(rows), None if high is None else int(high)

    def _repeated(self, low: int | None, high: int) -> KeyColumnError:
        above = "" if low is None else f"{self._key} > {low} AND "
        keys = frame_of(
            self.session,
            f"SELECT {self._key} FROM {self.table.sql} WHERE {above}{self._key} <= {high} "
            f"GROUP BY {self._key} HAVING COUNT(*) > 1 ORDER BY {self._key} LIMIT 5",
        )
        named = ", ".join(str(key) for key in keys.to_series())
        return KeyColumnError(
            f"{self.table}: the key {self.key_column.name} is not unique, for instance {named}. A usage row is "
            f"known by its key, so nothing of this window was sent and the cursor has not moved. Make the key "
            f"unique, or read a view that has one row a key."
        )


@dataclass
class UsageIncrement:
    """One window of a usage table."""

    table: UsageTable
    bounds: dict[str, Any]
    whole: bool = False

    def __post_init__(self) -> None:
        self._read = Spans.of()

    def pieces(self) -> Iterator[pl.DataFrame]:
        """The window's rows, without those that an earlier window has read."""
        seen = Spans.of(self.bounds["seen"])
        for piece in self.table.read(self.bounds["low"], int(self.bounds["high"])):
            fresh = piece.filter(~seen.holds(piece[_KEY]))
            recent = fresh.filter(pl.col(_KEY) > self._floor)[_KEY]
            self._read = self._read.and_also(Spans.covering(recent))
            if fresh.height:
                yield fresh.drop(_KEY)

    def cursor(self) -> dict[str, Any]:
        """The place after this window; right once all pieces were taken."""
        seen = Spans.of(self.bounds["seen"]).and_also(self._read).above(self._floor)
        return {
            "key": str(self.bounds["high"]),
            "floor": str(self._floor),
            "seen": seen.to_json(),
            "commit": self.bounds["commit"],
        }

    @property
    def _floor(self) -> int:
        """Below it nothing is read again: `overlap` under the highest key, and never under what is known."""
        floor = int(self.bounds["high"]) - self.table.overlap
        return floor if self.bounds["low"] is None else max(floor, int(self.bounds["low"]))
