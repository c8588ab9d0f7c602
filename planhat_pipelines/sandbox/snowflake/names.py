"""Names of tables as Snowflake folds them, and their quoting."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


class TableName(NamedTuple):
    """A table's full name, folded: unquoted parts in upper case."""

    database: str
    schema: str
    table: str

    @property
    def sql(self) -> str:
        """The name, quoted, for DuckDB."""
        return ".".join(quoted(part) for part in self)

    def __str__(self) -> str:
        return ".".join(self)


def folded(identifier: exp.Identifier) -> str:
    """An identifier's name: as written when quoted, in upper case otherwise."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def table_name(table: exp.Table, database: str | None, schema: str | None) -> TableName:
    """The full name of a table node, completed with the session's database and schema."""

    def part(key: str, default: str | None) -> str:
        identifier = table.args.get(key)
        return folded(identifier) if isinstance(identifier, exp.Identifier) else default or ""

    return TableName(part("catalog", database), part("db", schema), part("this", None))
