"""What the ledger writes about single rows: rejections, and rows parked until their target exists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.blobs import Keys, keys_list, unpack_keys
from planhat_pipelines.ledger.database import upsert
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import NewParked, NewRejection

S = TypeVar("S", sa.Delete, sa.Update)

_CHUNK = 1_000
_LONGEST = 500
"""Characters: Postgres refuses index entries above 2.6 KB, and a broken file has keys of megabytes."""

_earlier = (
    sa.select(sa.literal(1))
    .where(
        schema.rejections.c.sync == sa.bindparam("sync"),
        schema.rejections.c.epoch < sa.bindparam("epoch"),
    )
    .limit(1)
)


def reject(write: Fenced, rejections: Iterable[NewRejection]) -> None:
    """Write rejections down; a row that was rejected before keeps its first date and counts one up."""
    new: Iterator[dict[str, Any]] = (
        {
            "sync": write.sync,
            "row": fit(rejection.row),
            "stage": rejection.stage,
            "field": _fit_or_none(rejection.field),
            "reason": fit(rejection.reason),
            "key": _fit_or_none(rejection.key),
            "run": write.run,
            "epoch": write.epoch,
            "first_seen": write.now,
            "last_seen": write.now,
            "times": 1,
        }
        for rejection in rejections
    )
    table = schema.rejections
    latest = ("stage", "field", "reason", "key", "run", "epoch", "last_seen")
    while chunk := list(islice(new, _CHUNK)):
        upsert(write.connection, table, chunk, take=latest, change={"times": table.c.times + 1})


def resolve(write: Fenced, rows: Keys) -> None:
    """Close the rejections of rows that have been answered otherwise."""
    write.connection.execute(_among(write, schema.rejections.delete(), schema.rejections, _fit_all(rows)))


def resolve_answered(write: Fenced, batch: str) -> None:
    """Close what earlier claims rejected of the rows in a settled batch; what this claim rejected stays. A record
    may have been refused as a row of another drop, and is known by its key then."""
    table, batches = schema.rejections, schema.batches
    if write.connection.execute(_earlier, {"sync": write.sync, "epoch": write.epoch}).first() is None:
        return  # the usual case costs no decoding
    query = (
        sa.select(schema.contents.c.row_blob, batches.c.purpose)
        .join(batches, batches.c.id == schema.contents.c.batch)
        .where(batches.c.id == batch)
    )
    blob, purpose = write.connection.execute(query).one()
    keys, earlier = unpack_keys(blob), table.delete().where(table.c.epoch < write.epoch)
    write.connection.execute(_among(write, earlier, table, keys))
    if purpose == "records":
        write.connection.execute(_among(write, earlier, table, keys, column="key"))


def park(write: Fenced, rows: Iterable[NewParked]) -> None:
    """Park rows; one that was parked before keeps its date and its tries."""
    new: Iterator[dict[str, Any]] = (
        {
            "sync": write.sync,
            "row": fit(row.row),
            "model": row.model,
            "id_kind": row.id_kind,
            "target": fit(row.target),
            "key": _fit_or_none(row.key),
            "since": write.now,
            "tried_at": None,
            "tries": 0,
        }
        for row in rows
    )
    while chunk := list(islice(new, _CHUNK)):
        upsert(write.connection, schema.parked, chunk, take=("model", "id_kind", "target", "key"))


def tried(write: Fenced, rows: Keys) -> None:
    """Count one look-up without success."""
    table = schema.parked
    counted = table.update().values(tried_at=write.now, tries=table.c.tries + 1)
    write.connection.execute(_among(write, counted, table, _fit_all(rows)))


def unpark(write: Fenced, rows: Keys) -> None:
    """Forget parked rows: they went, or were rejected."""
    if not len(rows):
        return
    write.connection.execute(_among(write, schema.parked.delete(), schema.parked, _fit_all(rows)))


def fit(text: str) -> str:
    """The text as both databases can keep and index it: no NUL, and a hash where it is too long."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return without_nul(text)


def without_nul(text: str) -> str:
    """The text as Postgres can keep it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _fit_or_none(text: str | None) -> str | None:
    return None if text is None else fit(text)


def _fit_all(rows: Keys) -> list[str]:
    return [fit(row) for row in keys_list(rows)]


def _among(write: Fenced, statement: S, table: sa.Table, rows: Keys, column: str = "row") -> S:
    """Narrow a statement to these rows of the sync; the keys travel as one JSON value, many or few."""
    array = json.dumps(keys_list(rows), ensure_ascii=False).replace("\\u0000", "\N{REPLACEMENT CHARACTER}")
    if write.connection.dialect.name == "sqlite":
        keys = sa.select(sa.func.json_each(array).table_valued("value").c.value)
    else:
        keys = sa.select(sa.func.json_array_elements_text(sa.cast(sa.literal(array), JSON)).column_valued())
    return statement.where(table.c.sync == write.sync, table.c[column].in_(keys))
