"""Whether a table can be written to, asked before anything is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from planhat_pipelines.snowflake.errors import Permanent
from planhat_pipelines.snowflake.query import one_row
from planhat_pipelines.snowflake.tables import Table, quoted
from planhat_pipelines.snowflake.types import Slot

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_KINDS = {
    "VIEW": "a view",
    "MATERIALIZED VIEW": "a view",
    "EXTERNAL TABLE": "an external table",
    "DYNAMIC TABLE": "a dynamic table",
}


class NotWritable(Permanent):
    """The table, one of its columns or a privilege stands against writing; the text has the cure."""


def check_kind(session: SnowflakeConnection, table: Table) -> None:
    """Raise NotWritable for a view and the like."""
    found = session.cursor().execute(
        f"SELECT IFF(is_dynamic = 'YES', 'DYNAMIC TABLE', table_type) "
        f"FROM {quoted(table.database)}.INFORMATION_SCHEMA.TABLES WHERE table_schema = %s AND table_name = %s",
        (table.schema, table.name),
    )
    row = found.fetchone() if found else None
    kind = _KINDS.get(str(row[0])) if row else None  # of one that is not there the columns tell
    if kind:
        raise NotWritable(
            f"{table} is {kind}, which nothing can be written to. Name the table behind it, or write "
            f"direction: to_planhat."
        )


def check_columns(table: Table, written: Sequence[Slot], gone: Slot | None) -> None:
    """Raise NotWritable for a column that is written twice or holds nothing Planhat has."""
    every = [*written, *([gone] if gone else [])]
    for at, slot in enumerate(every):
        if slot in every[:at]:
            raise NotWritable(f"{table}: {slot.name} would be written twice. Map it once.")
        if not slot.holds.writable:
            raise NotWritable(
                f"{table}: {slot.name} is {slot.holds}, and Planhat has no values for such a column. Map a VARCHAR, "
                f"NUMBER, FLOAT, BOOLEAN, DATE, TIMESTAMP or VARIANT column, or give the field direction: to_planhat."
            )
    if gone and not gone.holds.marks:
        raise NotWritable(
            f"{table}: {gone.name} is {gone.holds}; what marks rows whose record is gone has to be BOOLEAN, DATE or "
            f"TIMESTAMP."
        )


def check_new_rows(table: Table, shape: Iterable[Slot], written: Sequence[Slot]) -> None:
    """Raise NotWritable when a row that has only the written columns would be refused."""
    left = [slot.name for slot in shape if not (slot.nullable or slot.filled or slot in written)]
    if left:
        raise NotWritable(
            f"{table}: new rows would have no {' and no '.join(left)}, which may not be NULL. Map it, give it a "
            f"default, or let it be empty: ALTER TABLE {table.sql} ALTER COLUMN {quoted(left[0])} DROP NOT NULL;"
        )


def check_privileges(session: SnowflakeConnection, table: Table, merge: str, needed: Sequence[str]) -> None:
    """Raise NotWritable when the session's roles may not run the MERGE. It is explained, not run.

    Source: Snowflake documentation, EXPLAIN_PRIVILEGES; it also counts inherited and secondary roles.
    """
    from snowflake.connector.errors import ProgrammingError

    text = merge.replace("\\", "\\\\").replace("'", "''")
    try:
        (answer,) = one_row(session, f"CALL EXPLAIN_PRIVILEGES(statement => '{text}', missing_only => TRUE)")
    except ProgrammingError:
        return  # where Snowflake cannot tell, the first write does
    if json.loads(answer).get("authorized") is not True:
        raise not_granted(session, table, [each for each in needed if f'"{each}"' in answer], needed)


def not_granted(
    session: SnowflakeConnection, table: Table, missing: Sequence[str], needed: Sequence[str]
) -> NotWritable:
    """The error for missing privileges, with the GRANT of all that are needed."""
    (role,) = one_row(session, "SELECT CURRENT_ROLE()")
    may_not = " or ".join(missing) or "write"
    return NotWritable(
        f"{table}: the role {role} may not {may_not} there. Whoever owns the table can run: "
        f"GRANT {', '.join(needed)} ON TABLE {table.sql} TO ROLE {quoted(role or '')};"
    )
