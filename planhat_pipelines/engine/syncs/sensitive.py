"""Columns that Snowflake guards go to Planhat only where the sync says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from planhat_pipelines.engine.lineage.lines import Line, records_lines, usage_lines
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.snowflake.policies import guarded
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from planhat_pipelines.spec.usage import UsageSpec


def hold_back_sensitive(spec: RecordsSpec | UsageSpec, session: SnowflakeConnection) -> str:
    """Look whether every mapped column that has a masking policy or a tag named pii stands under `sensitive:`, and say
    what was found. Raises MappingError that names those that do not."""
    table = Table(*table_parts(spec.table))
    found = guarded(session, table)
    allowed = {_stored(name, found.columns) for name in spec.sensitive}
    held: dict[str, str] = {}
    for line in _sent(spec):
        for column in (_stored(name, found.columns) for name in line.columns):
            if column in found.columns and column not in allowed:
                held[column] = line.field
    if held:
        named = ", ".join(
            f"{column} ({', '.join(found.columns[column])}) as {field}" for column, field in held.items()
        )
        raise MappingError(
            f"{spec.name}: {table} guards columns that the mapping would send to Planhat: {named}. If they may go "
            f"there, write `sensitive: [{', '.join(held)}]` in the sync; else remove them from the mapping."
        )
    unseen = f"; the role could not ask for {' and '.join(found.unseen)}" if found.unseen else ""
    sent = sorted(allowed.intersection(found.columns))
    what = f"sends {', '.join(sent)}, as the sync says" if sent else "sends no column that Snowflake guards"
    return what + unseen


def _sent(spec: RecordsSpec | UsageSpec) -> Iterable[Line]:
    lines = records_lines(spec) if isinstance(spec, RecordsSpec) else usage_lines(spec)
    return [line for line in lines if line.way != "to_snowflake"]


def _stored(name: str, columns: Iterable[str]) -> str:
    """The stored name of the column that a user means."""
    return name if name in columns else name.upper()
