"""The statements of a write-back, as text.

Source rows lie in a stage table: `N` counts them, `K` is the key, `C0`, `C1` ... are texts and `F0`, `F1` ... say which
of them to write. Of rows with the same key the last one counts, as a MERGE whose source has two rows for one of the
target is refused. Where rows are guarded, `W` is what `likeness` gave for the row when it was read, null for a new one:
only a row that still is like that is written. (Snowflake documentation, MERGE, HASH.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planhat_pipelines.snowflake.tables import Table, quoted
from planhat_pipelines.snowflake.types import Slot


def likeness(columns: Iterable[str]) -> str:
    """The SQL of a text that changes with the values of these columns, given as SQL. It is the same for equal values,
    NULL too, in every session."""
    return f"TO_VARCHAR(HASH({', '.join(columns)}))"


@dataclass(frozen=True, slots=True)
class Mark:
    """The column that marks a row whose record is gone."""

    slot: Slot

    @property
    def column(self) -> str:
        return quoted(self.slot.name)

    @property
    def is_set(self) -> str:
        if self.slot.type == "BOOLEAN":
            return f"COALESCE(t.{self.column}, FALSE)"
        return f"(t.{self.column} IS NOT NULL)"

    @property
    def set(self) -> str:
        if self.slot.type == "BOOLEAN":
            return "TRUE"
        return "CURRENT_DATE()" if self.slot.type == "DATE" else f"CURRENT_TIMESTAMP()::{self.slot.type}"

    @property
    def cleared(self) -> str:
        return "FALSE" if self.slot.type == "BOOLEAN" else "NULL"


@dataclass(frozen=True, slots=True)
class Merge:
    """What to merge into: the table, its key, the columns to write, and the mark that a write clears. guards: the
    columns by whose `likeness` rows are guarded, if they are."""

    table: Table
    key: Slot
    columns: Sequence[Slot]
    mark: Mark | None
    guards: Sequence[Slot] = ()

    def write(self, stage: str, *, insert: bool) -> str:
        """Write what differs where it is flagged; insert rows whose key is new, unless a NOT NULL column is missing."""
        changes = self._differences()
        sets = [
            f"{quoted(slot.name)} = IFF(s.F{at}, s.V{at}, t.{quoted(slot.name)})"
            for at, slot in enumerate(self.columns)
        ]
        if self.mark:
            changes.append(self.mark.is_set)
            sets.append(f"{self.mark.column} = {self.mark.cleared}")
        same = (
            f"{likeness(f't.{quoted(slot.name)}' for slot in self.guards)} = s.W AND " if self.guards else ""
        )
        update = (
            f" WHEN MATCHED AND {same}({' OR '.join(changes)}) THEN UPDATE SET {', '.join(sets)}"
            if sets
            else ""
        )
        return self._into(self._source, stage) + update + (self._insert() if insert else "")

    def unwritten(self, stage: str) -> str:
        """The keys of rows that a guarded write did not make what they were to be."""
        key = f"t.{quoted(self.key.name)}"
        return (
            f"SELECT s.K FROM ({self._last(self._source, stage)}) AS s LEFT JOIN {self.table.sql} AS t "
            f"ON {self._same_key} WHERE {' OR '.join([f'{key} IS NULL', *self._differences()])}"
        )

    def mark_gone(self, stage: str, mark: Mark) -> str:
        """Set the mark where it is not set."""
        into = self._into("K", stage)
        return f"{into} WHEN MATCHED AND NOT {mark.is_set} THEN UPDATE SET {mark.column} = {mark.set}"

    def on_nothing(self, *, insert: bool) -> str:
        """The write on a row that is not there, to ask Snowflake about."""
        columns = "".join(f", NULL::VARCHAR AS C{at}, TRUE AS F{at}" for at in range(len(self.columns)))
        columns += ", NULL::VARCHAR AS W" if self.guards else ""
        return self.write(f"(SELECT 0 AS N, NULL::VARCHAR AS K{columns})", insert=insert)

    @property
    def _source(self) -> str:
        """What is taken of a stage table for a write, as a list of columns."""
        numbered = list(enumerate(self.columns))
        values = [f"{slot.holds.value(f'C{at}')} AS V{at}" for at, slot in numbered]
        return ", ".join(["K", *(["W"] if self.guards else []), *(f"F{at}" for at, _ in numbered), *values])

    @property
    def _same_key(self) -> str:
        return f"NULLIF(TRIM(TO_VARCHAR(t.{quoted(self.key.name)})), '') = s.K"

    def _differences(self) -> list[str]:
        return [
            f"(s.F{at} AND {slot.holds.compared(f't.{quoted(slot.name)}')} IS DISTINCT FROM "
            f"{slot.holds.compared(f's.V{at}')})"
            for at, slot in enumerate(self.columns)
        ]

    def _last(self, selected: str, stage: str) -> str:
        last = "QUALIFY ROW_NUMBER() OVER (PARTITION BY K ORDER BY N DESC) = 1"
        return f"SELECT {selected} FROM {stage} {last}"

    def _into(self, selected: str, stage: str) -> str:
        return (
            f"MERGE INTO {self.table.sql} AS t USING ({self._last(selected, stage)}) AS s ON {self._same_key}"
        )

    def _insert(self) -> str:
        columns = [quoted(self.key.name), *(quoted(slot.name) for slot in self.columns)]
        values = [self.key.holds.value("s.K"), *(f"s.V{at}" for at in range(len(self.columns)))]
        if self.mark:
            columns.append(self.mark.column)
            values.append(self.mark.cleared)
        needed = " AND s.W IS NULL" if self.guards else ""
        needed += "".join(f" AND s.F{at}" for at, slot in enumerate(self.columns) if not slot.nullable)
        return f" WHEN NOT MATCHED{needed} THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(values)})"
