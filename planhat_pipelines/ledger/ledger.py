"""The ledger: what was read, intended, settled, refused and parked, of every sync."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import polars as pl
import sqlalchemy as sa

from planhat_pipelines.ledger import bases, drops, history, records, schema, trace
from planhat_pipelines.ledger.batches import to_batch, whole
from planhat_pipelines.ledger.blobs import Points, unpack_keys, unpack_points
from planhat_pipelines.ledger.claim import Claim, claimed
from planhat_pipelines.ledger.database import Database
from planhat_pipelines.ledger.models import (
    Batch,
    BatchStates,
    Conflict,
    Cursor,
    Parked,
    Rejection,
    RunRecord,
    Window,
)

Record = TypeVar("Record")


class Ledger:
    """Holds keys, hashes, counts and reasons, and no customer's value but those of conflicts. Anyone may read
    at any time; writing goes through `claim`. Threads may share a ledger; a forked process opens its own."""

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
        table = schema.cursors
        found = self._records(Cursor, _columns(Cursor, table).where(table.c.sync == sync))
        return found[0] if found else Cursor(sync, None, 0)

    def open_window(self, sync: str) -> Window | None:
        """The window that was begun and is neither committed nor abandoned."""
        table = schema.windows
        query = _columns(Window, table).where(table.c.sync == sync, table.c.closed_at.is_(None))
        found = self._records(Window, query)
        return found[0] if found else None

    def batches(self, sync: str, *states: BatchStates, window: int | None = None) -> list[Batch]:
        """Batches in the given states (all without any), in the order they were intended."""
        table = schema.batches
        query = whole().where(table.c.sync == sync).order_by(table.c.intended_at, table.c.id)
        if states:
            query = query.where(table.c.state.in_(states))
        if window is not None:
            query = query.where(table.c.window == window)
        with self.database.read() as connection:
            return [to_batch(dict(row)) for row in connection.execute(query).mappings()]

    def last_batches(self, sync: str, row: str) -> dict[str, Batch]:
        """The newest batch of each purpose (records, push, write_back, metrics ...) that holds the row."""
        with self.database.read() as connection:
            return trace.last_batches(connection, sync, row)

    def some_batches(self, sync: str, purpose: str, many: int, before: float, seed: int) -> list[Batch]:
        """The newest batches with points that were settled `before` (seconds since 1970), and some of the older ones,
        others for another `seed`."""
        with self.database.read() as connection:
            return trace.some_batches(connection, sync, purpose, many, before, seed)

    def batches_of_points(
        self, sync: str, dimension: str, day: int | None = None, *, limit: int = 3
    ) -> list[Batch]:
        """The newest batches with points of a metric; with `day` (since 1970), those whose days may include it."""
        with self.database.read() as connection:
            return history.batches_of_points(connection, sync, dimension, day, limit)

    def fingerprints(
        self, dimensions: Collection[str], first_day: int, last_day: int, *, excluding: Collection[str] = ()
    ) -> Points:
        """All points of settled batches, of any sync, that touch one of the dimensions between the two days
        (days since 1970, both included); a batch counts whole. `excluding` names batches to leave out."""
        table, contents = schema.batches, schema.contents
        query = (
            sa.select(contents.c.point_blob)
            .join(table, table.c.id == contents.c.batch)
            .where(_near(dimensions, first_day, last_day), table.c.id.not_in(excluding))
            .where(table.c.state == "settled")
            .where(contents.c.point_blob.is_not(None))
        )
        with self.database.read() as connection:
            blobs = connection.execute(query).scalars().all()
        return np.concatenate([np.empty(0, np.uint64), *map(unpack_points, blobs)])

    def rows_of_points(
        self, sync: str, dimensions: Collection[str], first_day: int, last_day: int
    ) -> Iterator[list[str]]:
        """Keys of the rows in the sync's batches that touch one of the dimensions between the two days (days since
        1970, both included), batch by batch."""
        table, contents = schema.batches, schema.contents
        query = (
            sa.select(contents.c.row_blob)
            .join(table, table.c.id == contents.c.batch)
            .where(table.c.sync == sync, _near(dimensions, first_day, last_day))
        )
        with self.database.read() as connection:
            for blob in connection.execute(query).scalars():
                yield unpack_keys(blob)

    def records(self, sync: str) -> pl.DataFrame:
        """What Planhat was last told of every record of the sync: `key` (text), `hash` (UInt64)."""
        with self.database.read() as connection:
            return records.known(connection, sync)

    def record_parts(self, sync: str) -> Iterator[pl.DataFrame]:
        """The same in frames of bounded size, the oldest first: a key may come again, and then the last counts."""
        with self.database.read() as connection:
            yield from records.parts(connection, sync)

    def bases(self, sync: str, fields: Sequence[str]) -> pl.DataFrame:
        """What both sides of a two-way sync last agreed on: `key` (text) and one UInt64 column per field, a
        fingerprint of its value; null, or no row, where they never did."""
        with self.database.read() as connection:
            return bases.settled(connection, sync, fields)

    def base_entries(self, sync: str) -> int:
        """How many entries `bases` sums up; `Claim.remember_bases` makes one of them."""
        with self.database.read() as connection:
            return bases.entries(connection, sync)

    def intended_bases(self, sync: str, fields: Sequence[str], purpose: str) -> pl.DataFrame:
        """The same of batches of that purpose that are still intended: what a run that died was about to make them
        agree on."""
        with self.database.read() as connection:
            return bases.intended(connection, sync, fields, purpose)

    def conflicts(self, sync: str | None = None, *, limit: int | None = None) -> list[Conflict]:
        """Fields that both sides changed, with their values, the latest first."""
        table = schema.conflicts
        order = (table.c.at.desc(), table.c.sync, table.c.row, table.c.field, table.c.id)
        return self._records(Conflict, _of(sync, Conflict, table).order_by(*order).limit(limit))

    def drop_under_way(self, sync: str) -> Mapping[str, Any] | None:
        """The drop of the sync that is neither done nor superseded, as a row of the table."""
        with self.database.read() as connection:
            return drops.under_way(connection, sync)

    def drops_done(self, sync: str, ids: Collection[str]) -> set[str]:
        """Which of these drops are done."""
        with self.database.read() as connection:
            return drops.done(connection, sync, ids)

    def find_drop(self, sync: str, start_of_id: str) -> Mapping[str, Any] | None:
        """A drop by the first digits of its id."""
        with self.database.read() as connection:
            return drops.find(connection, sync, start_of_id)

    def drops(self, sync: str | None = None, *, limit: int = 100) -> list[Mapping[str, Any]]:
        """The audit trail: drops as rows of the table, the one that moved last first."""
        with self.database.read() as connection:
            return drops.latest(connection, sync, limit)

    def rejections(self, sync: str | None = None, *, limit: int | None = None) -> list[Rejection]:
        """Open rejections, the latest first."""
        table = schema.rejections
        order = (table.c.last_seen.desc(), table.c.sync, table.c.row)
        return self._records(Rejection, _of(sync, Rejection, table).order_by(*order).limit(limit))

    def parked(self, sync: str | None = None) -> list[Parked]:
        """Parked rows, the longest waiting first."""
        table = schema.parked
        order = (table.c.since, table.c.sync, table.c.row)
        return self._records(Parked, _of(sync, Parked, table).order_by(*order))

    def runs(self, sync: str | None = None, *, limit: int = 20) -> list[RunRecord]:
        """Runs, the latest first."""
        order = schema.runs.c.started_at.desc()
        return self._records(RunRecord, _of(sync, RunRecord, schema.runs).order_by(order).limit(limit))

    def history(self, sync: str, since: datetime | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Runs that began since then and batches that moved since then, as rows of their tables; all with None."""
        with self.database.read() as connection:
            return history.runs_since(connection, sync, since), history.batches_since(connection, sync, since)

    def _records(self, kind: Callable[..., Record], query: sa.Select[Any]) -> list[Record]:
        with self.database.read() as connection:
            return [kind(**dict(row)) for row in connection.execute(query).mappings()]


def _near(dimensions: Collection[str], first_day: int, last_day: int) -> sa.ColumnElement[bool]:
    """Batches that touch one of the dimensions between the two days."""
    touched = schema.touched
    near = sa.select(touched.c.batch).where(
        touched.c.dimension.in_(dimensions),
        touched.c.last_day >= first_day,
        touched.c.first_day <= last_day,
    )
    return schema.batches.c.id.in_(near)


def _columns(kind: type[Any], table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(table.c[field.name] for field in fields(kind)))


def _of(sync: str | None, kind: type[Any], table: sa.Table) -> sa.Select[Any]:
    query = _columns(kind, table)
    return query if sync is None else query.where(table.c.sync == sync)
