"""Columns that Snowflake guards: those with a masking policy, and those with a tag named pii.

Source: Snowflake documentation, table functions POLICY_REFERENCES and TAG_REFERENCES_ALL_COLUMNS of INFORMATION_SCHEMA.
Both features need Enterprise Edition. A role sees a masking policy's columns with APPLY on the policy or on the
account, and tags with any right on the table; it is told nothing of what it may not see, so that an empty answer is no
proof. Policies of the tables behind a view are not told with the view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planhat_pipelines.snowflake.tables import Table, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_PII = "PII"
_NO = {"NO", "FALSE", "NONE"}  # values of the tag that say that a column is none


@dataclass(frozen=True, slots=True)
class Guarded:
    """What guards each column, by stored name. `unseen`: what Snowflake would not tell, and in which words."""

    columns: Mapping[str, Sequence[str]]
    unseen: Sequence[str] = ()


def guarded(session: SnowflakeConnection, table: Table) -> Guarded:
    """The guarded columns of a table or view."""
    from snowflake.connector.errors import ProgrammingError

    found: dict[str, list[str]] = {}
    unseen: list[str] = []
    for what, look in (("masking policies", _policies), ("tags", _tags)):
        try:
            for column, guard in look(session, table):
                found.setdefault(column, []).append(guard)
        except ProgrammingError as error:
            unseen.append(f"{what} ({(error.raw_msg or '').partition(chr(10))[0][:200]})")
    return Guarded(found, tuple(unseen))


def _policies(session: SnowflakeConnection, table: Table) -> list[tuple[str, str]]:
    views = _rows(
        session,
        f"SELECT TABLE_NAME FROM {quoted(table.database)}.INFORMATION_SCHEMA.TABLES "
        f"WHERE TABLE_SCHEMA = {_text(table.schema)} AND TABLE_NAME = {_text(table.name)} "
        "AND TABLE_TYPE IN ('VIEW', 'MATERIALIZED VIEW')",
    )
    domain = "VIEW" if views else "TABLE"
    rows = _rows(
        session,
        "SELECT REF_COLUMN_NAME, POLICY_NAME FROM TABLE("
        f"{quoted(table.database)}.INFORMATION_SCHEMA.POLICY_REFERENCES("
        f"REF_ENTITY_NAME => {_text(table.sql)}, REF_ENTITY_DOMAIN => '{domain}')) "
        "WHERE POLICY_KIND = 'MASKING_POLICY' AND REF_COLUMN_NAME IS NOT NULL",
    )
    return [(column, f"masking policy {policy}") for column, policy in rows]


def _tags(session: SnowflakeConnection, table: Table) -> list[tuple[str, str]]:
    rows = _rows(
        session,
        "SELECT COLUMN_NAME, TAG_NAME, TAG_VALUE FROM TABLE("
        f"{quoted(table.database)}.INFORMATION_SCHEMA.TAG_REFERENCES_ALL_COLUMNS({_text(table.sql)}, 'TABLE'))",
    )
    return [
        (column, f"tag {name}")
        for column, name, value in rows
        if name.upper() == _PII and str(value or "").upper() not in _NO
    ]


def _rows(session: SnowflakeConnection, sql: str) -> list[Any]:
    with session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
