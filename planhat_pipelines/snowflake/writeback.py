"""Values from Planhat into rows of a table: one statement a piece, which writes what differs and nothing else.

Rows are found by key as `RecordsTable` finds them: the key as text, without blanks around it. A row whose columns all
hold the given values already is not touched, so that change tracking does not report it. A MERGE is one statement, so
either all of a piece is written or nothing. (Snowflake documentation, MERGE.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from planhat_pipelines.snowflake import writable
from planhat_pipelines.snowflake.errors import SnowflakeError, translated
from planhat_pipelines.snowflake.merge import Mark, Merge
from planhat_pipelines.snowflake.query import frame_of
from planhat_pipelines.snowflake.records import WAS
from planhat_pipelines.snowflake.staging import staged
from planhat_pipelines.snowflake.tables import Table, resolve
from planhat_pipelines.snowflake.types import Slot, slots
from planhat_pipelines.snowflake.writable import NotWritable

if TYPE_CHECKING:
    from collections.abc import Callable

    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.errors import Error

_NO_PRIVILEGE = 3001
_WRONG_VALUE = "22"  # the class of SQL states of values that do not fit


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were changed; `moved`: keys of guarded rows that were not written, as they changed meanwhile."""

    inserted: int
    updated: int
    moved: Sequence[str] = ()


@dataclass(frozen=True)
class Target:
    """A table that values go back to.

    key, columns, gone: names as the user wrote them; `columns` are those that may be written. insert: add rows for
    keys that the table does not have. gone: a BOOLEAN, DATE or TIMESTAMP column that marks rows whose record is gone.
    zones: by name of a column, the time zone of its days and of TIMESTAMP_NTZ; UTC where nothing is said. row: the name
    of the key in frames.

    Frames for `write` and `unfit` have the key and, for a column NAME, its text as NAME and whether to write it as
    NAME? (Boolean); a column that is not in the frame is not written. With a column WAS, as `RecordsTable` gives it
    with `guards` of the same `columns`, a row is written only where it still is as it was read, and inserted only where
    WAS is null. Without, rows are overwritten whatever became of them.
    """

    session: SnowflakeConnection
    table: Table
    key: str
    columns: Sequence[str]
    insert: bool = False
    gone: str | None = None
    zones: Mapping[str, str] = field(default_factory=dict[str, str])
    row: str = "key"

    @cached_property
    def shape(self) -> dict[str, Slot]:
        """The table's columns. Raises NotFound."""
        return slots(self.session, self.table)

    def promise(self) -> None:
        """Raise unless rows can be written: NotFound for a table or column that is not there, NotWritable for a view, a
        column that holds nothing Planhat has, or a missing privilege."""
        writable.check_kind(self.session, self.table)
        merge = self._merge(self.columns)
        written = [merge.key, *merge.columns]
        writable.check_columns(self.table, written, merge.mark.slot if merge.mark else None)
        if self.insert:
            marked = [merge.mark.slot] if merge.mark else []
            writable.check_new_rows(self.table, self.shape.values(), [*written, *marked])
        statement = merge.on_nothing(insert=self.insert)
        writable.check_privileges(self.session, self.table, statement, self._privileges)

    def unfit(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The values that their columns cannot hold: `key`, `column`, `reason`, without the values. `write` leaves them
        out, and a row whose key is one of them altogether."""
        found = [
            rows.select(pl.col(self.row).alias("key"), pl.lit(name).alias("column"), problem.alias("reason"))
            for name, problem in [
                (self.key, self._key_problem),
                *((name, self._problem(name)) for name in self._given(rows)),
            ]
        ]
        return pl.concat(found).drop_nulls("reason")

    def write(self, rows: pl.DataFrame) -> Written:
        """Write one piece; of rows with the same key the last one counts. Clears the mark of its rows. A new row is
        inserted when every NOT NULL column is among what is written.

        Raises NotWritable or another SnowflakeError; then nothing was written, but for Temporary, where the answer may
        have been lost: to write the piece again does no harm."""
        names = self._given(rows)
        guarded = [WAS] if WAS in rows.columns else []
        merge = self._merge(names, guarded=bool(guarded))
        if not (names or merge.mark or self.insert):
            return Written(0, 0)
        chosen = rows.filter(self._key_problem.is_null()).select(
            self._key.alias("K"),
            *(pl.col(was).alias("W") for was in guarded),
            *(pl.col(name).alias(f"C{at}") for at, name in enumerate(names)),
            *(self._chosen(name).alias(f"F{at}") for at, name in enumerate(names)),
        )
        frame = chosen.with_columns(self._staged(name, f"C{at}", f"F{at}") for at, name in enumerate(names))
        moved = merge.unwritten if guarded else None
        return self._run(frame, lambda stage: merge.write(stage, insert=self.insert), moved)

    def mark_gone(self, keys: Sequence[str]) -> int:
        """Mark the rows of these keys, where they are not marked yet; how many that were. Raises as `write` does."""
        merge = self._merge(())
        if merge.mark is None:
            raise ValueError(f"{self.table}: no column marks rows whose record is gone")
        mark = merge.mark
        frame = pl.DataFrame({"K": list(keys)}, schema={"K": pl.String})
        return self._run(frame.select(_trimmed("K")), lambda stage: merge.mark_gone(stage, mark)).updated

    def _run(
        self,
        frame: pl.DataFrame,
        sql: Callable[[str], str],
        unwritten: Callable[[str], str] | None = None,
    ) -> Written:
        """`unwritten`: asked when not every row was written. Whoever changes a row in between, after it was written,
        has it looked at as one that was not: the next run finds out."""
        from snowflake.connector.errors import Error

        if not frame.height:
            return Written(0, 0)
        try:
            with staged(self.session, self.table, frame.with_row_index("N")) as stage:
                counts = _counts(self.session.cursor(), sql(stage))
                inserted, updated = (
                    counts.get(f"number of rows {done}", 0) for done in ("inserted", "updated")
                )
                if unwritten is None or inserted + updated == frame.height:
                    return Written(inserted, updated)
                moved = frame_of(self.session, unwritten(stage))
        except Error as error:
            raise self._refused(error) from None  # its text may hold a value
        return Written(inserted, updated, moved["K"].cast(pl.String).to_list())

    def _refused(self, error: Error) -> SnowflakeError:
        if error.errno == _NO_PRIVILEGE:
            return writable.not_granted(self.session, self.table, (), self._privileges)
        if (error.sqlstate or "").startswith(_WRONG_VALUE):
            return NotWritable(
                f"{self.table}: Snowflake refused a value ({error.errno:06d}), so nothing of this piece was written. "
                f"Were its columns changed while the sync ran? Run it again; if it fails again, look at the MERGE in "
                f"Snowflake's query history."
            )
        return translated(error, f"Writing to {self.table}")

    @property
    def _privileges(self) -> list[str]:
        return ["SELECT", "UPDATE", *(["INSERT"] if self.insert else [])]

    def _merge(self, names: Sequence[str], *, guarded: bool = False) -> Merge:
        mark = Mark(self._slot(self.gone)) if self.gone else None
        written = [self._slot(name) for name in names]
        guards = [self._slot(name) for name in self.columns] if guarded else ()
        return Merge(self.table, self._slot(self.key), written, mark, guards)

    def _slot(self, name: str) -> Slot:
        return self.shape[resolve(name, self.shape, self.table).name]

    def _given(self, rows: pl.DataFrame) -> list[str]:
        return [name for name in self.columns if name in rows.columns]

    @property
    def _key(self) -> pl.Expr:
        return _trimmed(self.row)

    @property
    def _key_problem(self) -> pl.Expr:
        empty = pl.when(self._key.fill_null("") == "").then(pl.lit("is empty"))
        return pl.coalesce(empty, self._slot(self.key).holds.problem(self._key, "UTC"))

    def _problem(self, name: str) -> pl.Expr:
        slot, text = self._slot(name), pl.col(name)
        found = slot.holds.problem(text, self._zone(name))
        if not slot.nullable:
            empty = pl.when(text.is_null()).then(pl.lit("is empty, and the column is NOT NULL"))
            found = pl.coalesce(found, empty)
        return pl.when(pl.col(f"{name}?")).then(found)

    def _chosen(self, name: str) -> pl.Expr:
        return pl.col(f"{name}?").fill_null(False) & self._problem(name).is_null()

    def _staged(self, name: str, text: str, chosen: str) -> pl.Expr:
        return pl.when(chosen).then(self._slot(name).holds.staged(pl.col(text), self._zone(name))).alias(text)

    def _zone(self, name: str) -> str:
        return self.zones.get(name, "UTC")


def _trimmed(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars(" ")


def _counts(cursor: Any, sql: str) -> dict[str, int]:
    """What a MERGE did: counts by the names Snowflake gives them."""
    with cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return dict(zip(names, map(int, cursor.fetchone()), strict=True))
