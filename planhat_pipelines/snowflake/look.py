"""Looks at an account that cost little: who signed in, whether a key can serve as one, whether changes are tracked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planhat_pipelines.snowflake.errors import NotFound
from planhat_pipelines.snowflake.query import one_row
from planhat_pipelines.snowflake.tables import Column, Table, quoted

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

LOOKED_AT = 1_000_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """As whom statements run. A user without a default role or warehouse may have none."""

    user: str
    role: str | None
    warehouse: str | None


@dataclass(frozen=True, slots=True)
class Keys:
    """A key column over its last LOOKED_AT rows: how many there are, lack a key, and repeat one; the highest key."""

    rows: int
    nulls: int
    repeated: int
    highest: Any


def signed_in(session: SnowflakeConnection) -> SignedIn:
    """Who this session is."""
    return SignedIn(*one_row(session, "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE()"))


def keys(session: SnowflakeConnection, table: Table, column: Column) -> Keys:
    """One scan of one column, rows without a key first."""
    key = quoted(column.name)
    rows, filled, distinct, highest = one_row(
        session,
        f"SELECT COUNT(*), COUNT({key}), COUNT(DISTINCT {key}), MAX({key}) FROM "
        f"(SELECT {key} FROM {table.sql} ORDER BY {key} DESC NULLS FIRST LIMIT {LOOKED_AT})",
    )
    return Keys(int(rows), int(rows - filled), int(filled - distinct), highest)


def tracks_changes(session: SnowflakeConnection, table: Table) -> bool | None:
    """Whether change tracking is on; None for what is no table, as a view's tracking is that of its tables.

    Source: Snowflake documentation, SHOW TABLES. Raises NotFound for a schema that the role may not see.
    """
    from snowflake.connector import DictCursor
    from snowflake.connector.errors import ProgrammingError

    schema = f"{quoted(table.database)}.{quoted(table.schema)}"
    pattern = table.name.replace("\\", "\\\\").replace("'", "''")
    try:
        with session.cursor(DictCursor) as cursor:
            cursor.execute(f"SHOW TABLES LIKE '{pattern}' IN SCHEMA {schema}")
            shown = cursor.fetchall()
    except ProgrammingError as error:
        raise NotFound(f"{table}: the role may not see the schema. GRANT USAGE on {schema} to it.") from error
    states = [row["change_tracking"] for row in shown if row["name"] == table.name]
    return states[0] == "ON" if states else None
