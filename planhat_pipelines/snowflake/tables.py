"""Names and shapes of tables."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planhat_pipelines.snowflake.errors import NotFound

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

WHOLE_NUMBERS = {"NUMBER", "DECIMAL", "NUMERIC", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as Snowflake describes it."""

    name: str
    type: str
    scale: int | None
    nullable: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view by its three stored names."""

    database: str
    schema: str
    name: str

    @property
    def sql(self) -> str:
        """The name as it goes into a statement."""
        return ".".join(quoted(part) for part in (self.database, self.schema, self.name))

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"

    def columns(self, session: SnowflakeConnection) -> dict[str, Column]:
        """All columns, by stored name. Raises NotFound for a table that is missing or not granted."""
        rows = session.cursor().execute(
            f"SELECT column_name, data_type, numeric_scale, is_nullable "
            f"FROM {quoted(self.database)}.INFORMATION_SCHEMA.COLUMNS "
            f"WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
            (self.schema, self.name),
        )
        found = [Column(name, kind, scale, null == "YES") for name, kind, scale, null in rows or ()]
        if not found:
            raise NotFound(
                f"{self} does not exist or the role may not see it. Check the name, and that the role has "
                f"USAGE on {self.database} and {self.database}.{self.schema} and SELECT on {self}."
            )
        return {column.name: column for column in found}

    def row_count(self, session: SnowflakeConnection) -> int | None:
        """How many rows Snowflake's catalogue counts; None for a view. Starts no warehouse."""
        found = session.cursor().execute(
            f"SELECT ROW_COUNT FROM {quoted(self.database)}.INFORMATION_SCHEMA.TABLES "
            f"WHERE table_schema = %s AND table_name = %s",
            (self.schema, self.name),
        )
        row = found.fetchone() if found else None
        return None if row is None or row[0] is None else int(row[0])


def quoted(name: str) -> str:
    """A stored name as an identifier in a statement, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def resolve(name: str, columns: Mapping[str, Column], table: Table) -> Column:
    """The column a user means: the exact name, else the same in upper case. Raises NotFound."""
    found = columns.get(name) or columns.get(name.upper())
    if found is None:
        near = difflib.get_close_matches(name.upper(), columns, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" It has {', '.join(columns)}."
        raise NotFound(f"{table} has no column {name}.{hint}")
    return found
