"""What the ledger writes about windows and cursors, each step inside the transaction of a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from planhat_pipelines.ledger.database import upsert
from planhat_pipelines.ledger.errors import OpenBatches, StaleCursor, WindowClosed, WindowOpen
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import Cursor, Window
from planhat_pipelines.ledger.schema import batches, cursors, moment, windows

_is_open = sa.select(windows.c.id).where(
    windows.c.id == sa.bindparam("window"),
    windows.c.sync == sa.bindparam("sync"),
    windows.c.closed_at.is_(None),
)


def begin(write: Fenced, bounds: Mapping[str, Any], cursor_version: int) -> Window:
    """Open a window that starts from the cursor at this version."""
    _require_version(write, cursor_version)
    is_open = sa.select(windows.c.id).where(windows.c.sync == write.sync, windows.c.closed_at.is_(None))
    other = write.connection.execute(is_open).scalar()
    if other is not None:
        raise WindowOpen(write.sync, other)
    row: dict[str, Any] = {
        "sync": write.sync,
        "bounds": dict(bounds),
        "cursor_version": cursor_version,
        "run": write.run,
    }
    new = windows.insert().values(**row, opened_at=write.now).returning(windows.c.id)
    return Window(id=write.connection.execute(new).scalar_one(), **row)


def close(write: Fenced, window: int, outcome: str) -> None:
    """Close a window, if none of its batches is still intended."""
    require_open(write, window)
    closed = windows.update().where(windows.c.id == window)
    write.connection.execute(closed.values(closed_at=write.now, outcome=outcome))
    intended = write.connection.execute(
        sa.select(sa.func.count()).where(
            batches.c.sync == write.sync, batches.c.window == window, batches.c.state == "intended"
        )
    ).scalar_one()
    if intended:
        raise OpenBatches(write.sync, window, intended)


def require_open(write: Fenced, window: int) -> None:
    """Raise `WindowClosed` unless the window is the open one of this sync."""
    if write.connection.execute(_is_open, {"window": window, "sync": write.sync}).first() is None:
        raise WindowClosed(write.sync, window)


def move(write: Fenced, cursor: Mapping[str, Any], version: int) -> Cursor:
    """Move the cursor on from this version."""
    _require_version(write, version)
    row: dict[str, Any] = {
        "sync": write.sync,
        "value": dict(cursor),
        "version": version + 1,
        "run": write.run,
    }
    upsert(write.connection, cursors, [row | {"moved_at": write.now}], take=[*row, "moved_at"])
    return Cursor(**row, moved_at=moment(write.now))


def _require_version(write: Fenced, expected: int) -> None:
    found = write.connection.execute(
        sa.select(cursors.c.version).where(cursors.c.sync == write.sync).with_for_update()
    ).scalar()
    if (found or 0) != expected:
        raise StaleCursor(write.sync, expected, found or 0)
