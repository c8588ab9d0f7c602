"""The ledger: what was read, intended, settled, refused and parked, of every sync."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import numpy as np
import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.batches import to_batch
from planhat_pipelines.ledger.blobs import Points, unpack_points
from planhat_pipelines.ledger.claim import Claim, claimed
from planhat_pipelines.ledger.database import Database, moment
from planhat_pipelines.ledger.models import (
    Batch,
    BatchStates,
    Cursor,
    Parked,
    Rejection,
    RunRecord,
    Window,
)


class Ledger:
    """Holds keys, hashes, counts and reasons, never customer values. Anyone may read at any time; writing
    goes through `claim`. Threads may share a ledger; a forked process opens its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the ledger at `sqlite:///folder/ledger.db` or
        `postgresql+psycopg://user:password@host/database`, and create what is missing; several processes may
        do so at once. Raises `LedgerUnavailable` when the database can't be used, `LedgerError` when the URL
        or the version of the tables is not ours."""
        return cls(Database(url))

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def claim(self, sync: str, run: str, *, lease: float = 60.0) -> AbstractContextManager[Claim]:
        """The exclusive right to deliver `sync`, for the run named `run`. Raises `SyncBusy` at once while
        another living run has it. It is taken over from an owner that was silent for `lease` seconds, or
        whose process on this machine is gone."""
        return claimed(self.database, sync, run, lease)

    def cursor(self, sync: str) -> Cursor:
        """How far the sync has been read."""
        for row in self._rows(sa.select(schema.cursors).where(schema.cursors.c.sync == sync)):
            return Cursor(**{**row, "moved_at": moment(row["moved_at"])})
        return Cursor(sync, None, 0)

    def open_window(self, sync: str) -> Window | None:
        """The window that was begun and is neither committed nor abandoned."""
        table = schema.windows
        columns = (table.c.id, table.c.sync, table.c.bounds, table.c.cursor_version, table.c.run)
        for row in self._rows(sa.select(*columns).where(table.c.sync == sync, table.c.closed_at.is_(None))):
            return Window(**row)
        return None

    def batches(self, sync: str, *states: BatchStates, window: int | None = None) -> list[Batch]:
        """Batches in the given states (all without any), in the order they were intended."""
        table = schema.batches
        query = sa.select(table).where(table.c.sync == sync).order_by(table.c.intended_at, table.c.id)
        if states:
            query = query.where(table.c.state.in_(states))
        if window is not None:
            query = query.where(table.c.window == window)
        return [to_batch(row) for row in self._rows(query)]

    def fingerprints(
        self, dimensions: Collection[str], first_day: int, last_day: int, *, excluding: Collection[str] = ()
    ) -> Points:
        """All points of settled batches, of any sync, that touch one of the dimensions between the two days
        (days since 1970, both included); a batch counts whole. `excluding` names batches to leave out."""
        touched, table = schema.touched, schema.batches
        near = sa.select(touched.c.batch).where(
            touched.c.dimension.in_(dimensions),
            touched.c.last_day >= first_day,
            touched.c.first_day <= last_day,
        )
        query = sa.select(table.c.point_blob).where(
            table.c.id.in_(near),
            table.c.id.not_in(excluding),
            table.c.state == "settled",
            table.c.point_blob.is_not(None),
        )
        blobs = [unpack_points(row["point_blob"]) for row in self._rows(query)]
        return np.concatenate([np.empty(0, np.uint64), *blobs])

    def rejections(self, sync: str | None = None, *, limit: int | None = None) -> list[Rejection]:
        """Open rejections, the latest first."""
        table = schema.rejections
        query = _of(table, sync).order_by(table.c.last_seen.desc(), table.c.sync, table.c.row).limit(limit)
        return [
            Rejection(
                **_only(Rejection, row)
                | {"first_seen": moment(row["first_seen"]), "last_seen": moment(row["last_seen"])}
            )
            for row in self._rows(query)
        ]

    def parked(self, sync: str | None = None) -> list[Parked]:
        """Parked rows, the longest waiting first."""
        table = schema.parked
        query = _of(table, sync).order_by(table.c.since, table.c.sync, table.c.row)
        return [
            Parked(**row | {"since": moment(row["since"]), "tried_at": _moment_or_none(row["tried_at"])})
            for row in self._rows(query)
        ]

    def runs(self, sync: str | None = None, *, limit: int = 20) -> list[RunRecord]:
        """Runs, the latest first."""
        query = _of(schema.runs, sync).order_by(schema.runs.c.started_at.desc()).limit(limit)
        return [
            RunRecord(
                **row
                | {"started_at": moment(row["started_at"]), "ended_at": _moment_or_none(row["ended_at"])}
            )
            for row in self._rows(query)
        ]

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _of(table: sa.Table, sync: str | None) -> sa.Select[Any]:
    query = sa.select(table)
    return query if sync is None else query.where(table.c.sync == sync)


def _only(record: type[Rejection], row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in record.__dataclass_fields__}


def _moment_or_none(seconds: float | None) -> Any:
    return None if seconds is None else moment(seconds)
