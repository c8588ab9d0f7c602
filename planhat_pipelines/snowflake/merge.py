"""The statements of a write-back, as text.

Source rows lie in a stage table: `N` counts them, `K` is the key, `C0`, `C1` ... are texts and `F0`, `F1` ... say which
of them to write. Of rows with the same key the last one counts, as a MERGE whose source has two rows for one of the
target is refused. (Snowflake documentation, MERGE.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planhat_pipelines.snowflake.tables import Table, quoted
from planhat_pipelines.snowflake.types import Slot


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
    """What to merge into: the table, its key, the columns to write, and the mark that a write clears."""

    table: Table
    key: Slot
    columns: Sequence[Slot]
    mark: Mark | None

    def write(self, stage: str, *, insert: bool) -> str:
        """Write what differs where it is flagged; insert rows whose key is new, unless a NOT NULL column is missing."""
        numbered = list(enumerate(self.columns))
        values = [f"{slot.holds.value(f'C{at}')} AS V{at}" for at, slot in numbered]
        changes = [
            f"(s.F{at} AND {slot.holds.compared(f't.{quoted(slot.name)}')} IS DISTINCT FROM "
            f"{slot.holds.compared(f's.V{at}')})"
            for at, slot in numbered
        ]
        sets = [
            f"{quoted(slot.name)} = IFF(s.F{at}, s.V{at}, t.{quoted(slot.name)})" for at, slot in numbered
        ]
        if self.mark:
            changes.append(self.mark.is_set)
            sets.append(f"{self.mark.column} = {self.mark.cleared}")
        update = (
            f" WHEN MATCHED AND ({' OR '.join(changes)}) THEN UPDATE SET {', '.join(sets)}" if sets else ""
        )
        source = ["K", *(f"F{at}" for at, _ in numbered), *values]
        return self._into(", ".join(source), stage) + update + (self._insert() if insert else "")

    def mark_gone(self, stage: str, mark: Mark) -> str:
        """Set the mark where it is not set."""
        into = self._into("K", stage)
        return f"{into} WHEN MATCHED AND NOT {mark.is_set} THEN UPDATE SET {mark.column} = {mark.set}"

    def on_nothing(self, *, insert: bool) -> str:
        """The write on a row that is not there, to ask Snowflake about."""
        columns = "".join(f", NULL::VARCHAR AS C{at}, TRUE AS F{at}" for at in range(len(self.columns)))
        return self.write(f"(SELECT 0 AS N, NULL::VARCHAR AS K{columns})", insert=insert)

    def _into(self, selected: str, stage: str) -> str:
        return (
            f"MERGE INTO {self.table.sql} AS t USING (SELECT {selected} FROM {stage} "
            f"QUALIFY ROW_NUMBER() OVER (PARTITION BY K ORDER BY N DESC) = 1) AS s "
            f"ON NULLIF(TRIM(TO_VARCHAR(t.{quoted(self.key.name)})), '') = s.K"
        )

    def _insert(self) -> str:
        columns = [quoted(self.key.name), *(quoted(slot.name) for slot in self.columns)]
        values = [self.key.holds.value("s.K"), *(f"s.V{at}" for at in range(len(self.columns)))]
        if self.mark:
            columns.append(self.mark.column)
            values.append(self.mark.cleared)
        needed = "".join(f" AND s.F{at}" for at, slot in enumerate(self.columns) if not slot.nullable)
        return f" WHEN NOT MATCHED{needed} THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(values)})"
