"""The drops of a sync: what lies where, how far each has come, and the audit trail of those that are done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from planhat_pipelines.ledger.database import upsert
from planhat_pipelines.ledger.errors import DropState
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.schema import drops

FINAL = ("done", "superseded")
_CHUNK = 500


def under_way(connection: sa.Connection, sync: str) -> Mapping[str, Any] | None:
    """The drop that is neither done nor superseded; there is at most one."""
    query = sa.select(drops).where(drops.c.sync == sync, drops.c.state.not_in(FINAL))
    return _row(connection, query)


def done(connection: sa.Connection, sync: str, ids: Collection[str]) -> set[str]:
    """Which of these drops are done."""
    asked, found = list(ids), set[str]()
    for start in range(0, len(asked), _CHUNK):
        some = asked[start : start + _CHUNK]
        query = sa.select(drops.c.id).where(
            drops.c.sync == sync, drops.c.state == "done", drops.c.id.in_(some)
        )
        found.update(connection.execute(query).scalars())
    return found


def find(connection: sa.Connection, sync: str, start_of_id: str) -> Mapping[str, Any] | None:
    """A drop by the first digits of its id."""
    query = sa.select(drops).where(drops.c.sync == sync, drops.c.id.startswith(start_of_id, autoescape=True))
    return _row(connection, query)


def latest(connection: sa.Connection, sync: str | None, limit: int) -> list[Mapping[str, Any]]:
    """Drops, the one that moved last first."""
    query = sa.select(drops).order_by(drops.c.moved_at.desc(), drops.c.id).limit(limit)
    found = connection.execute(query if sync is None else query.where(drops.c.sync == sync))
    return [_plain(row) for row in found.mappings()]


def _row(connection: sa.Connection, query: sa.Select[Any]) -> Mapping[str, Any] | None:
    found = connection.execute(query).mappings().first()
    return None if found is None else _plain(found)


def _plain(row: sa.RowMapping) -> Mapping[str, Any]:
    return {str(name): value for name, value in row.items()}


def write(fenced: Fenced, row: Mapping[str, Any], was: str | None) -> None:
    """Write a drop down, if it is still in state `was` (None: not known yet, or superseded). Raises DropState."""
    query = sa.select(drops.c.state).where(drops.c.id == row["id"]).with_for_update()
    state = fenced.connection.execute(query).scalar()
    other = under_way(fenced.connection, fenced.sync) if was is None else None
    if state != was and not (was is None and state == "superseded"):
        raise DropState(fenced.sync, str(row["key"]), was, state)
    if other is not None:
        raise DropState(fenced.sync, str(row["key"]), was, f"waiting for {other['id'][:12]}")
    whole = dict(row) | {"sync": fenced.sync, "run": fenced.run, "moved_at": fenced.now}
    upsert(
        fenced.connection,
        drops,
        [whole | {"claimed_at": fenced.now, "counts": row.get("counts") or {}}],
        take=[name for name in whole if name != "id"],
    )
