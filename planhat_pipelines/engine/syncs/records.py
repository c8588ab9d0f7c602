"""A records spec made ready to run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.lineage.lines import inputs
from planhat_pipelines.engine.run import Sync
from planhat_pipelines.engine.syncs.contract import compiled
from planhat_pipelines.engine.syncs.sensitive import hold_back_sensitive
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.columns import ROW, Cell
from planhat_pipelines.mapping.records import COPIES, KEY, FieldMapping, RecordsMapping
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import custom_fields
from planhat_pipelines.snowflake.account import COMMIT_LAG
from planhat_pipelines.snowflake.records import RecordsTable
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.fields import FieldMap, archive_field
from planhat_pipelines.spec.files import FileRecords
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def records_source(
    spec: RecordsSpec,
    session: SnowflakeConnection,
    log: Callable[[str], None] = lambda _: None,
    *,
    full: bool = False,
    mapping: RecordsMapping | None = None,
    lag: float = COMMIT_LAG,
) -> RecordsTable:
    """The spec's table as a source. `full`: the whole table, whatever has changed. `mapping`: for a run, which reads
    all rows again when the mapping or a list of values is another one than that of the last run."""
    meaning = [_digest(spec.model_dump(include={"key", "company", "direction", "fields", "on_delete"}))]
    return RecordsTable(
        session,
        Table(*table_parts(spec.table)),
        spec.key.column,
        mapped_columns(spec),
        ROW,
        COPIES,
        spec.changes,
        spec.updated_at,
        spec.full_every.seconds if spec.full_every else None,
        full,
        [*meaning, _digest(mapping.fields)] if mapping else meaning,
        lag=lag,
        log=log,
        # Both ways, rows are matched by their addresses.
        key_as=KEY if spec.key.field == "email" and spec.direction == "to_planhat" else None,
    )


def records_sync(
    spec: RecordsSpec,
    session: SnowflakeConnection,
    planhat: Planhat,
    ledger: Ledger,
    *,
    log: Callable[[str], None] = lambda _: None,
    full: bool = False,
    allow_many_changes: bool = False,
    lag: float = COMMIT_LAG,
) -> Sync:
    """The spec as a sync over open connections; `full` reads the whole table. Raises MappingError when the mapping does
    not fit the tenant."""
    hold_back_sensitive(spec, session)
    archive = archive_field(spec.planhat_model) if spec.on_delete == "archive" else None
    mapping = records_mapping(spec.name, spec, planhat, archive)
    destination = RecordsDestination(
        spec.name,
        planhat,
        ledger,
        mapping,
        spec.company.id if spec.company else "external",
        archive,
        None if allow_many_changes else spec.brake,
        log,
    )
    source = records_source(spec, session, log, full=full, mapping=mapping, lag=lag)
    return Sync(spec.name, source, destination, ledger)


def records_mapping(
    sync: str, spec: RecordsSpec | FileRecords, planhat: Planhat, archive: str | None = None
) -> RecordsMapping:
    """The mapping, held against the tenant's custom fields. With `archive`, every record that is sent is not archived.
    Raises MappingError."""
    model = spec.planhat_model
    fields = compiled(sync, model, sent_fields(spec), custom_fields(planhat, model))
    if archive:
        fields.append(FieldMapping(archive, custom=False, kind="boolean", constant=False))
    company = Cell(spec.company.column, spec.company.path) if spec.company else None
    return RecordsMapping(model, spec.key.field, fields, company)


def sent_fields(spec: RecordsSpec | FileRecords) -> Sequence[FieldMap]:
    """The fields whose values go to Planhat."""
    return spec.sent if isinstance(spec, RecordsSpec) else spec.fields


def mapped_columns(spec: RecordsSpec | FileRecords) -> list[str]:
    """The columns that the mapping reads."""
    fields = sent_fields(spec)
    named = [each.column for each in fields if each.column]
    computed = [name for each in fields if each.expression for name in inputs(each.expression)]
    stamp = [spec.updated_at] if isinstance(spec, RecordsSpec) and spec.on_conflict == "newest" else []
    return [*([spec.company.column] if spec.company else []), *named, *computed, *filter(None, stamp)]


def _digest(what: object) -> str:
    return hashlib.blake2b(repr(what).encode(), digest_size=8).hexdigest()
