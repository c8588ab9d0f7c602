"""What happened to a sync since some time, and to the points of a metric."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planhat_pipelines.ledger.batches import to_batch, whole
from planhat_pipelines.ledger.models import Batch
from planhat_pipelines.ledger.schema import batches, runs, touched


def runs_since(connection: sa.Connection, sync: str, since: datetime | None) -> list[dict[str, Any]]:
    """Runs that began then or later, the oldest first, as rows of the table."""
    query = sa.select(runs).where(runs.c.sync == sync).order_by(runs.c.started_at)
    return _rows(connection, query if since is None else query.where(runs.c.started_at >= since.timestamp()))


def batches_since(connection: sa.Connection, sync: str, since: datetime | None) -> list[dict[str, Any]]:
    """Batches that were intended, or got their answer, then or later, and those that are doubtful still."""
    query = sa.select(batches).where(batches.c.sync == sync).order_by(batches.c.intended_at)
    if since is not None:
        moved = sa.func.coalesce(batches.c.settled_at, batches.c.intended_at) >= since.timestamp()
        query = query.where(moved | (batches.c.state != "settled"))
    return _rows(connection, query)


def batches_of_points(
    connection: sa.Connection, sync: str, dimension: str, day: int | None, limit: int
) -> list[Batch]:
    """The newest batches with points of the metric; with `day`, those whose days may include it."""
    query = (
        whole()
        .join(touched, touched.c.batch == batches.c.id)
        .where(batches.c.sync == sync, touched.c.dimension == dimension)
        .order_by(batches.c.intended_at.desc(), batches.c.id)
        .limit(limit)
    )
    if day is not None:
        query = query.where(touched.c.first_day <= day, touched.c.last_day >= day)
    return [to_batch(dict(each)) for each in connection.execute(query).mappings()]


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
