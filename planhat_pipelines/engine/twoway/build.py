"""A records spec that brings Planhat's changes back, made ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from planhat_pipelines.engine.destinations.records import RecordsDestination
from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.engine.syncs.records import records_mapping, records_source
from planhat_pipelines.engine.syncs.sensitive import hold_back_sensitive
from planhat_pipelines.engine.twoway.fields import sides
from planhat_pipelines.engine.twoway.records import PlanhatRecords
from planhat_pipelines.engine.twoway.sync import TwoWaySync
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.columns import ROW, Cell
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import CustomField, custom_fields
from planhat_pipelines.planhat.reading import CUSTOM_KINDS
from planhat_pipelines.snowflake.account import COMMIT_LAG
from planhat_pipelines.snowflake.errors import NotFound
from planhat_pipelines.snowflake.mirror import create_mirror
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines.snowflake.types import SnowflakeType
from planhat_pipelines.snowflake.writeback import Target
from planhat_pipelines.spec.base import table_parts
from planhat_pipelines.spec.records import RecordsSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_DAY = 86_400.0
_TYPES: Mapping[str, SnowflakeType] = {
    "number": SnowflakeType("FLOAT"),
    "rating": SnowflakeType("FLOAT"),
    "integer": SnowflakeType("NUMBER", precision=38, scale=0),
    "boolean": SnowflakeType("BOOLEAN"),
    "checkbox": SnowflakeType("BOOLEAN"),
    "date": SnowflakeType("TIMESTAMP_NTZ"),
    "day": SnowflakeType("DATE"),
    "array": SnowflakeType("ARRAY"),
    "multipicklist": SnowflakeType("ARRAY"),
    "object": SnowflakeType("VARIANT"),
}  # of a mirror's columns, by the field's kind; all others hold text


def two_way_sync(
    spec: RecordsSpec,
    session: SnowflakeConnection,
    planhat: Planhat,
    ledger: Ledger,
    *,
    log: Callable[[str], None] = lambda _: None,
    full: bool = False,
    allow_many_changes: bool = False,
    lag: float = COMMIT_LAG,
) -> TwoWaySync:
    """The spec as a sync over open connections; `full` reads both sides as a whole. Raises MappingError when the
    mapping does not fit the tenant, NotFound and NotWritable when the table cannot be written to."""
    model, table = spec.planhat_model, table_of(spec)
    customs = custom_fields(planhat, model)
    mirror = spec.direction == "to_snowflake"
    if spec.create_table:
        create_mirror(session, table, spec.key.column, _mirror_columns(spec, customs))
    fields = sides(spec, customs, table.columns(session), table)
    target = target_of(spec, session)
    target.promise()
    mapping = records_mapping(spec.name, spec, planhat)
    destination = RecordsDestination(
        spec.name, planhat, ledger, mapping, spec.company.id if spec.company else "external", log=log
    )
    records = _records(spec, planhat, customs, full=full, log=log)
    source = None if mirror else records_source(spec, session, log, full=full, mapping=mapping, lag=lag)
    if source:
        hold_back_sensitive(spec, session)
        source.guards = target.columns
    return TwoWaySync(
        spec.name,
        source,
        target,
        records,
        destination,
        ledger,
        fields,
        spec.on_conflict,
        Cell(spec.updated_at) if spec.on_conflict == "newest" and spec.updated_at else None,
        bool(spec.insert_new),
        spec.company.column if spec.company and not spec.company.path and target.insert else None,
        None if allow_many_changes else spec.brake,
    )


def sides_changed(
    spec: RecordsSpec, session: SnowflakeConnection | None, planhat: Planhat
) -> dict[str, Callable[[JsonObject | None], bool]]:
    """What each side is called, and whether it has anything new after the sync's cursor: one look at the table, which
    starts no warehouse, and one call to Planhat. A mirror's table is not asked and needs no session."""
    records = _records(spec, planhat)

    def planhat_changed(cursor: JsonObject | None) -> bool:
        return records.changed((cursor or {}).get("planhat"))

    if session is None or spec.direction == "to_snowflake":
        return {"Planhat": planhat_changed}
    source = records_source(spec, session)

    def snowflake_changed(cursor: JsonObject | None) -> bool:
        return source.changed((cursor or {}).get("snowflake"))

    return {"Snowflake": snowflake_changed, "Planhat": planhat_changed}


def inserts(spec: RecordsSpec) -> bool:
    """Whether records without a row get one."""
    return spec.direction == "to_snowflake" if spec.insert_new is None else spec.insert_new


def _records(
    spec: RecordsSpec,
    planhat: Planhat,
    customs: Sequence[CustomField] = (),
    *,
    full: bool = False,
    log: Callable[[str], None] = lambda _: None,
) -> PlanhatRecords:
    model = spec.planhat_model
    company = [model.company_field] if model.company_field else []
    return PlanhatRecords(
        planhat,
        model,
        spec.key.field,
        list(dict.fromkeys([spec.key.field, *(each.field for each in spec.fields), *company])),
        {f"custom.{each.name}": CUSTOM_KINDS.get(each.type, "text") for each in customs},
        spec.full_every.seconds if spec.full_every else _DAY,
        full,
        log=log,
    )


def table_of(spec: RecordsSpec) -> Table:
    """The table by its stored names."""
    return Table(*table_parts(spec.table))


def is_to_be_made(spec: RecordsSpec, session: SnowflakeConnection) -> bool:
    """Whether the next run makes the table."""
    if not spec.create_table:
        return False
    try:
        return not table_of(spec).columns(session)
    except NotFound:
        return True


def target_of(spec: RecordsSpec, session: SnowflakeConnection) -> Target:
    """The table as something to write to, which is not asked for anything yet."""
    columns = [each.column for each in spec.fetched if each.column]
    if spec.company and not spec.company.path and inserts(spec):
        columns.append(spec.company.column)
    zones = {each.column: each.timezone for each in spec.fetched if each.column}
    key, gone = spec.key.column, spec.gone_column
    return Target(session, table_of(spec), key, columns, inserts(spec), gone, zones, ROW)


def _mirror_columns(spec: RecordsSpec, customs: Sequence[CustomField]) -> dict[str, SnowflakeType]:
    """The columns of a mirror, by what their fields hold."""
    kinds = {name: field.kind for name, field in spec.planhat_model.fields.items()}
    kinds |= {f"custom.{each.name}": each.type for each in customs}
    text = SnowflakeType("TEXT")
    columns = {
        each.column: _TYPES.get(kinds.get(each.field, ""), text) for each in spec.fetched if each.column
    }
    if spec.company:
        columns[spec.company.column] = text
    if spec.gone_column:
        columns[spec.gone_column] = SnowflakeType("BOOLEAN")
    return columns
