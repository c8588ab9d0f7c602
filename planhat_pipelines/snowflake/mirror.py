"""A table that mirrors a Planhat model, made where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from planhat_pipelines.snowflake.errors import translated
from planhat_pipelines.snowflake.query import one_row
from planhat_pipelines.snowflake.tables import Table, quoted
from planhat_pipelines.snowflake.types import SnowflakeType
from planhat_pipelines.snowflake.writable import NotWritable

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_NO_PRIVILEGE = 3001


def create_mirror(
    session: SnowflakeConnection, table: Table, key: str, columns: Mapping[str, SnowflakeType]
) -> None:
    """Create the table with change tracking, unless there is one of that name, which stays as it is.

    key, columns: names as the user wrote them; a plain one is stored in upper case, as Snowflake does. The key is a
    NOT NULL VARCHAR. Raises NotWritable when the role may not create it, NotFound when it may not see the schema.
    """
    from snowflake.connector.errors import ProgrammingError

    defined = [
        f"{_stored(key)} VARCHAR NOT NULL",
        *(f"{_stored(name)} {kind}" for name, kind in columns.items()),
    ]
    try:
        one_row(
            session,
            f"CREATE TABLE IF NOT EXISTS {table.sql} ({', '.join(defined)}) CHANGE_TRACKING = TRUE",
        )
    except ProgrammingError as error:
        if error.errno != _NO_PRIVILEGE:
            raise translated(error, f"Creating {table}") from None
        (role,) = one_row(session, "SELECT CURRENT_ROLE()")
        schema = f"{quoted(table.database)}.{quoted(table.schema)}"
        raise NotWritable(
            f"{table} is not there, and the role {role} may not create it. Create it yourself, or "
            f"GRANT CREATE TABLE ON SCHEMA {schema} TO ROLE {quoted(role or '')};"
        ) from None


def _stored(name: str) -> str:
    return quoted(name.upper() if _PLAIN.fullmatch(name) else name)
