"""Masking policies and tags of columns: which column has which, so that it can be asked. No value is masked by them.

Every role sees all of them. CREATE takes any policy and tag, and what it says is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot import Expr, exp

from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import missing_object
from planhat_pipelines.sandbox.snowflake.names import TableName, folded, table_name
from planhat_pipelines.sandbox.snowflake.registry import GUARDS

POLICY, TAG = "MASKING_POLICY", "TAG"
_PART = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_NAME = rf"{_PART}(?:\.{_PART}){{0,2}}"
_CREATE = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?MASKING\s+POLICY\b", re.IGNORECASE)
_ALTER = re.compile(
    rf"ALTER\s+(?:TABLE|VIEW)\s+(?:IF\s+EXISTS\s+)?(?P<table>{_NAME})\s+(?:MODIFY|ALTER)\s+(?:COLUMN\s+)?"
    rf"(?P<column>{_PART})\s+(?P<way>SET|UNSET)\s+(?P<kind>MASKING\s+POLICY|TAG)"
    rf"(?:\s+(?P<name>{_NAME}))?(?:\s*=\s*'(?P<value>[^']*)')?",
    re.IGNORECASE,
)
_POLICIES = (
    ("POLICY_NAME", "name"),
    ("POLICY_KIND", "kind"),
    ("REF_DATABASE_NAME", "database_name"),
    ("REF_SCHEMA_NAME", "schema_name"),
    ("REF_ENTITY_NAME", "table_name"),
    ("REF_COLUMN_NAME", "column_name"),
)
_TAGS = (
    ("TAG_NAME", "name"),
    ("TAG_VALUE", "value"),
    ("LEVEL", "'COLUMN'"),
    ("OBJECT_DATABASE", "database_name"),
    ("OBJECT_SCHEMA", "schema_name"),
    ("OBJECT_NAME", "table_name"),
    ("COLUMN_NAME", "column_name"),
)
_FUNCTIONS = {"POLICY_REFERENCES": (POLICY, _POLICIES), "TAG_REFERENCES_ALL_COLUMNS": (TAG, _TAGS)}


def change(statement: Expr, connection: Connection) -> bool:
    """Take a statement that makes a policy or a tag, or sets one on a column; False for any other."""
    if isinstance(statement, exp.Create):
        return statement.kind == "TAG"
    if not isinstance(statement, exp.Command):
        return False
    text = statement.sql(dialect="snowflake")
    if _CREATE.match(text):
        return True
    found = _ALTER.match(text)
    if found is None:
        return False
    table = _table(found["table"], connection)
    if not _exists(connection, table):
        raise missing_object(str(table))
    kind = TAG if found["kind"].upper() == "TAG" else POLICY
    place = [*table, _last(found["column"])]
    _forget(connection, place, kind, _last(found["name"]) if kind == TAG else None)
    if found["way"].upper() == "SET":
        row = [*place, kind, _last(found["name"] or ""), found["value"]]
        with connection.account.duckdb.cursor() as duck:
            duck.execute(f"INSERT INTO {GUARDS} VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return True


def answered(statement: Expr, connection: Connection) -> Expr:
    """The statement with the table functions that tell of policies and tags answered."""
    for call in list(statement.find_all(exp.TableFromRows)):
        function = next(
            (each for each in call.find_all(exp.Anonymous) if each.name.upper() in _FUNCTIONS), None
        )
        if function is None:
            continue
        given = [each.expression if isinstance(each, exp.Kwarg) else each for each in function.expressions]
        kind, columns = _FUNCTIONS[function.name.upper()]
        table = _table(given[0].name, connection)
        if not _exists(connection, table):
            raise missing_object(str(table))
        call.replace(_rows(connection, table, kind, columns))
    return statement


def _rows(connection: Connection, table: TableName, kind: str, columns: Sequence[tuple[str, str]]) -> Expr:
    wanted = ", ".join(column for _, column in columns)
    with connection.account.duckdb.cursor() as duck:
        found = duck.execute(
            f"SELECT {wanted} FROM {GUARDS} WHERE database_name = ? AND schema_name = ? AND table_name = ? "
            "AND kind = ? ORDER BY column_name, name",
            [*table, kind],
        ).fetchall()
    rows = [
        exp.select(*(_literal(value).as_(name) for (name, _), value in zip(columns, row, strict=True)))
        for row in found or [[None] * len(columns)]
    ]
    query: Any = rows[0] if found else rows[0].where(exp.false())
    for row in rows[1:]:
        query = exp.union(query, row, distinct=False)
    return query.subquery("told")


def _literal(value: str | None) -> Expr:
    return exp.cast(exp.Null() if value is None else exp.Literal.string(value), "VARCHAR")


def _forget(connection: Connection, place: list[str], kind: str, name: str | None) -> None:
    """A column has one masking policy, and a tag once."""
    where = "database_name = ? AND schema_name = ? AND table_name = ? AND column_name = ? AND kind = ?"
    with connection.account.duckdb.cursor() as duck:
        duck.execute(
            f"DELETE FROM {GUARDS} WHERE {where}{' AND name = ?' if name else ''}",
            [*place, kind, *([name] if name else [])],
        )


def _exists(connection: Connection, name: TableName) -> bool:
    objects = (
        "SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() UNION ALL "
        "SELECT database_name, schema_name, view_name FROM duckdb_views()"
    )
    where = "database_name = ? AND schema_name = ? AND name = ?"
    with connection.account.duckdb.cursor() as duck:
        return duck.execute(f"SELECT 1 FROM ({objects}) WHERE {where}", list(name)).fetchone() is not None


def _table(text: str, connection: Connection) -> TableName:
    return table_name(exp.to_table(text, dialect="snowflake"), connection.database, connection.schema)


def _last(name: str) -> str:
    return folded(exp.to_table(name, dialect="snowflake").this)
