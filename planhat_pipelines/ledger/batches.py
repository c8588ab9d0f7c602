"""What the ledger writes about batches: one function a step, each inside the transaction of a claim."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Unpack

import sqlalchemy as sa

from planhat_pipelines.ledger import bases, schema, windows
from planhat_pipelines.ledger.blobs import Points, pack_keys, pack_points
from planhat_pipelines.ledger.errors import BatchState
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import Batch, Intent

if TYPE_CHECKING:
    import polars as pl

_batches, _contents = schema.batches, schema.contents

# What every batch needs is built once: building costs several times what running does.
_insert_batch = _batches.insert()
_insert_content = _contents.insert()
_insert_touched = schema.touched.insert()
_last_ordinal = sa.select(sa.func.max(_batches.c.ordinal)).where(
    _batches.c.sync == sa.bindparam("sync"),
    _batches.c.window.is_not_distinct_from(sa.bindparam("window")),
    _batches.c.body_hash == sa.bindparam("body_hash"),
)
_of_intended = _batches.update().where(
    _batches.c.id == sa.bindparam("batch"),
    _batches.c.sync == sa.bindparam("owner"),
    _batches.c.state == "intended",
)


def intend(write: Fenced, **intent: Unpack[Intent]) -> Batch:
    """Write a batch down as intended."""
    window, body_hash = intent["window"], intent["body_hash"]
    if window is not None:
        windows.require_open(write, window)
    ordinal = _next_ordinal(write, window, body_hash)
    name = f"{write.sync}\n{window}\n{body_hash}\n{ordinal}"
    points = intent["points"]
    row: dict[str, Any] = {
        "id": hashlib.sha256(name.encode()).hexdigest()[:32],
        "sync": write.sync,
        "window": window,
        "body_hash": body_hash,
        "ordinal": ordinal,
        "run": write.run,
        "state": "intended",
        "purpose": intent["purpose"],
        "items": intent["items"],
        "dimensions": list(intent["dimensions"]),
        "first_day": intent["first_day"],
        "last_day": intent["last_day"],
        "counts": {},
        "reason": None,
        "intended_at": write.now,
        "settled_at": None,
    }
    content = {
        "batch": row["id"],
        "row_blob": pack_keys(intent["rows"]),
        "point_blob": None if points is None else pack_points(points),
    }
    write.connection.execute(_insert_batch, row)
    write.connection.execute(_insert_content, content)
    if row["dimensions"]:
        if row["first_day"] is None or row["last_day"] is None:
            raise ValueError("a batch that touches dimensions needs its first and last day")
        write.connection.execute(
            _insert_touched,
            [
                {"dimension": dimension, "batch": row["id"]}
                | {"first_day": row["first_day"], "last_day": row["last_day"]}
                for dimension in set(row["dimensions"])
            ],
        )
    agreeing = intent.get("bases")
    if agreeing is not None:
        bases.intend(write, row["id"], agreeing)
    return to_batch(row | content | {"intended_at": schema.moment(write.now)})


def settle(
    write: Fenced,
    batch: str,
    counts: Mapping[str, int],
    points: Points | None,
    agreed: pl.DataFrame | None = None,
) -> None:
    """Write a batch's receipt down, the points that turned out to be there, and the bases that hold now."""
    _leave_intended(write, batch, state="settled", counts=dict(counts), settled_at=write.now)
    bases.settle(write, batch, agreed)
    if points is not None:
        write.connection.execute(
            _contents.update().where(_contents.c.batch == batch).values(point_blob=pack_points(points))
        )


def hold(write: Fenced, batch: str, reason: str) -> None:
    """Write down that nobody can tell whether the batch arrived."""
    _leave_intended(write, batch, state="held", reason=reason)
    bases.drop(write, batch)


def drop(write: Fenced, batch: str) -> None:
    """Forget an intended batch."""
    _leave_intended(write, batch, state="dropped")
    bases.drop(write, batch)
    write.connection.execute(_contents.delete().where(_contents.c.batch == batch))
    write.connection.execute(schema.touched.delete().where(schema.touched.c.batch == batch))
    write.connection.execute(_batches.delete().where(_batches.c.id == batch))


def whole() -> sa.Select[Any]:
    """A query for batches with their contents."""
    columns = (_contents.c.row_blob, _contents.c.point_blob)
    return sa.select(_batches, *columns).join(_contents, _contents.c.batch == _batches.c.id)


def to_batch(row: Mapping[str, Any]) -> Batch:
    """A row of the table as callers see it."""
    values = {field.name: row[field.name] for field in fields(Batch)}
    values["dimensions"] = tuple(row["dimensions"])
    return Batch(**values)


def _next_ordinal(write: Fenced, window: int | None, body_hash: str) -> int:
    """Equal bodies of a window are different batches: the first is 0, the next 1."""
    equal = {"sync": write.sync, "window": window, "body_hash": body_hash}
    last = write.connection.execute(_last_ordinal, equal).scalar_one()
    return 0 if last is None else last + 1


def _leave_intended(write: Fenced, batch: str, **changes: Any) -> None:
    changed = write.connection.execute(_of_intended, {"batch": batch, "owner": write.sync, **changes})
    if changed.rowcount == 0:
        found = sa.select(_batches.c.state).where(_batches.c.id == batch, _batches.c.sync == write.sync)
        state = write.connection.execute(found).scalar()
        raise BatchState(write.sync, batch, state)
