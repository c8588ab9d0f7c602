"""What the ledger writes about batches: one function a step, each inside the transaction of a claim."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Unpack

import sqlalchemy as sa

from planhat_pipelines.ledger import schema, windows
from planhat_pipelines.ledger.blobs import Points, pack_keys, pack_points
from planhat_pipelines.ledger.errors import BatchState
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import Batch, Intent

_batches = schema.batches


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
        "row_blob": pack_keys(intent["rows"]),
        "point_blob": None if points is None else pack_points(points),
    }
    write.connection.execute(_batches.insert(), row)
    if row["dimensions"]:
        if row["first_day"] is None or row["last_day"] is None:
            raise ValueError("a batch that touches dimensions needs its first and last day")
        write.connection.execute(
            schema.touched.insert(),
            [
                {"dimension": dimension, "batch": row["id"]}
                | {"first_day": row["first_day"], "last_day": row["last_day"]}
                for dimension in set(row["dimensions"])
            ],
        )
    return to_batch(row | {"intended_at": schema.moment(write.now)})


def settle(write: Fenced, batch: str, counts: Mapping[str, int], points: Points | None) -> bytes:
    """Write a batch's receipt down and give back the blob of its row keys."""
    changes: dict[str, Any] = {"counts": dict(counts), "settled_at": write.now}
    if points is not None:
        changes["point_blob"] = pack_points(points)
    return _leave_intended(write, batch, state="settled", **changes)


def hold(write: Fenced, batch: str, reason: str) -> None:
    """Write down that nobody can tell whether the batch arrived."""
    _leave_intended(write, batch, state="held", reason=reason)


def drop(write: Fenced, batch: str) -> None:
    """Forget an intended batch."""
    _leave_intended(write, batch, state="dropped")
    write.connection.execute(schema.touched.delete().where(schema.touched.c.batch == batch))
    write.connection.execute(_batches.delete().where(_batches.c.id == batch))


def to_batch(row: Mapping[str, Any]) -> Batch:
    """A row of the table as callers see it."""
    values = {field.name: row[field.name] for field in fields(Batch)}
    values["dimensions"] = tuple(row["dimensions"])
    return Batch(**values)


def _next_ordinal(write: Fenced, window: int | None, body_hash: str) -> int:
    """Equal bodies of a window are different batches: the first is 0, the next 1."""
    last = write.connection.execute(
        sa.select(sa.func.max(_batches.c.ordinal)).where(
            _batches.c.sync == write.sync,
            _batches.c.window.is_(None) if window is None else _batches.c.window == window,
            _batches.c.body_hash == body_hash,
        )
    ).scalar_one()
    return 0 if last is None else last + 1


def _leave_intended(write: Fenced, batch: str, **changes: Any) -> bytes:
    this = (_batches.c.id == batch, _batches.c.sync == write.sync)
    changed = write.connection.execute(
        _batches.update()
        .where(*this, _batches.c.state == "intended")
        .values(**changes)
        .returning(_batches.c.row_blob)
    ).scalar()
    if changed is None:
        state = write.connection.execute(sa.select(_batches.c.state).where(*this)).scalar()
        raise BatchState(write.sync, batch, state)
    return changed
