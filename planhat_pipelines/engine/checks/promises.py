"""What a spec promises: its table or bucket can be read, columns and key are sound, and its rows fit Planhat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from planhat_pipelines.engine.checks.findings import Broken, Finding, tried
from planhat_pipelines.engine.environment import s3_account
from planhat_pipelines.engine.syncs.contract import compiled
from planhat_pipelines.engine.syncs.records import records_source, sent_fields
from planhat_pipelines.engine.syncs.sensitive import hold_back_sensitive
from planhat_pipelines.engine.syncs.usage import (
    activities_mapping,
    metrics_mapping,
    usage_source,
)
from planhat_pipelines.engine.twoway.build import is_to_be_made, table_of, target_of
from planhat_pipelines.files import Bucket, S3Client
from planhat_pipelines.mapping.targets import Mapped, known_targets
from planhat_pipelines.planhat.lookups import CustomField
from planhat_pipelines.snowflake.errors import NotFound
from planhat_pipelines.snowflake.look import LOOKED_AT, keys, tracks_changes
from planhat_pipelines.snowflake.tables import Column, Table, resolve
from planhat_pipelines.snowflake.usage import UsageTable
from planhat_pipelines.spec.files import FileRecords, FilesSpec
from planhat_pipelines.spec.kinds import AnySpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines.spec.usage import UsageSpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_SAMPLE = 1_000  # keys


@dataclass(frozen=True, slots=True)
class Tenant:
    """What Planhat holds, by model; a model that could not be read is missing."""

    records: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])
    custom_fields: dict[str, list[CustomField]] = field(default_factory=dict[str, list[CustomField]])


def destination_models(spec: AnySpec) -> set[str]:
    """The models whose records the rows of a spec become, or are about."""
    if (records := mapped_records(spec)) is not None:
        return {records.model} | ({"company"} if records.company else set())
    metrics = None if isinstance(spec, RecordsSpec) else spec.metrics
    return {metrics.target.model if metrics else "enduser"}


def mapped_records(spec: AnySpec) -> RecordsSpec | FileRecords | None:
    """The part of a spec that maps rows to records, if it does."""
    match spec:
        case RecordsSpec():
            return spec
        case FilesSpec():
            return spec.records
        case UsageSpec():
            return None


def promises(
    spec: AnySpec, environment: Mapping[str, str], session: SnowflakeConnection | None, tenant: Tenant
) -> Iterator[Finding]:
    """Try them one by one; what hangs on a promise that does not hold, or on a missing session, is left out."""
    match spec:
        case UsageSpec():
            yield from _usage(spec, session, tenant.records) if session else ()
        case RecordsSpec():
            yield from _records(spec, session) if session else ()
        case FilesSpec():
            yield tried(spec.name, partial(_bucket, spec, environment))
    records = mapped_records(spec)
    if records is not None and (fields := tenant.custom_fields.get(records.model)) is not None:
        yield tried(spec.name, partial(_contract, spec.name, records, fields))


def _bucket(spec: FilesSpec, environment: Mapping[str, str]) -> str:
    Bucket(S3Client(s3_account(environment)), spec.bucket).check(spec.prefix)
    return f"the bucket {spec.bucket} can be listed below {spec.prefix or 'its root'}"


def _usage(
    spec: UsageSpec, session: SnowflakeConnection, records: Mapping[str, pl.DataFrame]
) -> Iterator[Finding]:
    source = usage_source(spec, session)
    yield (table := tried(spec.name, lambda: f"{source.table} exists, with {len(source.shape)} columns"))
    if not table.holds:
        return
    yield (columns := tried(spec.name, partial(_columns, source.columns, source.shape, source.table)))
    yield (key := tried(spec.name, partial(_key, session, source.table, lambda: source.key_column)))
    if columns.holds:
        yield tried(spec.name, partial(hold_back_sensitive, spec, session))
    if columns.holds and key.holds:
        yield tried(spec.name, partial(_sample, spec, source, records))


def _records(spec: RecordsSpec, session: SnowflakeConnection) -> Iterator[Finding]:
    if is_to_be_made(spec, session):
        yield Finding(spec.name, True, f"{table_of(spec)} is not there yet: the first run makes it")
        return
    source = records_source(spec, session)
    yield (table := tried(spec.name, lambda: f"{source.table} exists, with {len(source.shape)} columns"))
    if not table.holds:
        return
    stamp = [spec.updated_at] if spec.updated_at else []
    fetched = [each.column for each in spec.fetched if each.column]
    mapped = tried(
        spec.name, partial(_columns, [*source.columns, *stamp, *fetched], source.shape, source.table)
    )
    yield mapped
    if spec.sent:
        yield tried(spec.name, partial(hold_back_sensitive, spec, session))
    find = partial(resolve, source.key, source.shape, source.table)
    yield tried(spec.name, partial(_key, session, source.table, find))
    if spec.changes == "change_tracking" and spec.sent:
        yield tried(spec.name, partial(_tracking, session, source.table))
    if fetched and mapped.holds:
        yield tried(spec.name, partial(_written_back, spec, session))
    if spec.on_conflict == "newest" and mapped.holds:
        yield tried(spec.name, partial(_is_time, str(spec.updated_at), source.shape, source.table))


def _written_back(spec: RecordsSpec, session: SnowflakeConnection) -> str:
    target = target_of(spec, session)
    target.promise()
    new = "; rows may be added" if target.insert else ""
    marked = f"; {spec.gone_column} can mark rows whose record is gone" if spec.gone_column else ""
    return f"what changes in Planhat can be written to {', '.join(target.columns)}{new}{marked}"


def _is_time(name: str, shape: Mapping[str, Column], table: Table) -> str:
    column = resolve(name, shape, table)
    if not column.type.startswith(("TIMESTAMP", "DATE", "TEXT")):
        raise Broken(
            f"{column.name} is {column.type}, and on_conflict: newest has to know when a row changed: name a TIMESTAMP "
            "column as updated_at, or choose snowflake or planhat."
        )
    return f"{column.name} ({column.type}) says when a row changed"


def _contract(sync: str, records: RecordsSpec | FileRecords, fields: Sequence[CustomField]) -> str:
    model, sent = records.planhat_model, sent_fields(records)
    compiled(sync, model, sent, fields)
    compiled(sync, model, [each for each in records.fields if each not in sent], fields, written=False)
    return f"the {len(records.fields)} mapped fields exist on {model.title} and fit"


def _columns(mapped: Iterable[str], shape: Mapping[str, Column], table: Table) -> str:
    absent: list[str] = []
    names = dict.fromkeys(mapped)
    for name in names:
        try:
            resolve(name, shape, table)
        except NotFound as error:
            absent.append(str(error))
    if absent:
        raise Broken(" ".join(absent))
    return f"has the mapped columns {', '.join(names)}"


def _key(session: SnowflakeConnection, table: Table, find: Callable[[], Column]) -> str:
    column = find()
    found = keys(session, table, column)
    if found.nulls:
        raise Broken(
            f"{found.nulls:,} rows have no {column.name}, and a row is known by its key: fill it, or read a view "
            "that leaves them out."
        )
    if found.repeated:
        raise Broken(
            f"{found.repeated:,} rows repeat the {column.name} of another one, and a row is known by its key: make "
            "it unique, or read a view that has one row a key."
        )
    where = f"the last {LOOKED_AT:,} rows" if found.rows == LOOKED_AT else f"{found.rows:,} rows"
    return f"key {column.name}: filled and unique in {where}"


def _sample(spec: UsageSpec, source: UsageTable, records: Mapping[str, pl.DataFrame]) -> str:
    highest = keys(source.session, source.table, source.key_column).highest
    rows = next(source.read(int(highest) - _SAMPLE, int(highest)), None) if highest is not None else None
    if rows is None:
        return "the table is empty, so no row could be tried"
    (model,) = destination_models(spec)
    if model not in records:
        raise Broken(f"rows could not be tried, as the records of model {model} cannot be read")
    mapped = _mapped(spec, rows, records[model])
    reasons = [f"{name} {reason}" for name, reason in mapped.refused.select("field", "reason").iter_rows()]
    ends = {
        "can go": mapped.ready.height,
        f"wait for their {model}": mapped.parked.height,
        f"would be refused ({max(reasons, key=reasons.count, default='')})": mapped.refused.height,
    }
    told = f"of the last {rows.height:,} rows {', '.join(f'{count:,} {end}' for end, count in ends.items() if count)}"
    if not mapped.ready.height:
        raise Broken(
            f"{told}. Is the right column mapped, with the right kind of id (planhat, external, source)?"
        )
    return told


def _mapped(spec: UsageSpec, rows: pl.DataFrame, records: pl.DataFrame) -> Mapped:
    if spec.metrics:
        return metrics_mapping(spec.metrics).apply(rows, known_targets(records, spec.metrics.target.id))
    assert spec.activities is not None  # noqa: S101  (the spec holds exactly one of the two)
    return activities_mapping(spec.activities).apply(rows, known_targets(records, spec.activities.enduser.id))


def _tracking(session: SnowflakeConnection, table: Table) -> str:
    tracked = tracks_changes(session, table)
    if tracked is False:
        raise Broken(
            "change tracking is off. The owner of the table can switch it on with: "
            f"ALTER TABLE {table.sql} SET CHANGE_TRACKING = TRUE;  Or write `changes: snapshot_diff`."
        )
    return "change tracking is on" if tracked else "is a view: its tables have to track changes"
