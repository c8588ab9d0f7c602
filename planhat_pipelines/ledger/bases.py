"""What both sides of a two-way sync last agreed on: a fingerprint per record and field.

Each frame of bases is an entry: an intended batch has one without a place, and settling gives it the next place. The
sum of all entries in the order of their places is what holds: per key and field the last that says something. Summing
up puts one entry in the place of all, so that a crash on either side of it loses nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl
import sqlalchemy as sa
from polars import selectors

from planhat_pipelines.ledger.blobs import Keys
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.schema import bases, batches

_SLICE = 100_000
"""Records in one value of the database."""

_next_place = sa.select(sa.func.coalesce(sa.func.max(bases.c.place), 0) + 1).where(
    bases.c.sync == sa.bindparam("owner")
)
_of_batch = bases.c.batch == sa.bindparam("of")
_give_place = bases.update().where(_of_batch).values(place=_next_place.scalar_subquery())
_drop = bases.delete().where(_of_batch)


def settled(connection: sa.Connection, sync: str, fields: Sequence[str]) -> pl.DataFrame:
    """`key` (text) and one UInt64 column per field, null where there is no base; only keys with a base."""
    query = sa.select(bases.c.place, bases.c.base_blob).where(
        bases.c.sync == sync, bases.c.place.is_not(None)
    )
    return _sum(connection.execute(query.order_by(bases.c.place, bases.c.id)), fields)


def entries(connection: sa.Connection, sync: str) -> int:
    """How many places there are."""
    places = sa.select(sa.func.count(bases.c.place.distinct())).where(bases.c.sync == sync)
    return connection.execute(places).scalar_one()


def intended(connection: sa.Connection, sync: str, fields: Sequence[str], purpose: str) -> pl.DataFrame:
    """The same of batches without a receipt, of one purpose."""
    query = sa.select(bases.c.batch, bases.c.base_blob).join(batches, batches.c.id == bases.c.batch)
    query = query.where(bases.c.sync == sync, bases.c.place.is_(None), batches.c.purpose == purpose)
    return _sum(connection.execute(query.order_by(bases.c.id)), fields)


def intend(write: Fenced, batch: str, frame: pl.DataFrame) -> None:
    """Write down what a batch will make both sides agree on."""
    _insert(write, frame, batch, None)


def settle(write: Fenced, batch: str, frame: pl.DataFrame | None) -> None:
    """Let the bases of a batch hold from now on: `frame`, or what was intended."""
    if frame is None:
        write.connection.execute(_give_place, {"of": batch, "owner": write.sync})
    else:
        drop(write, batch)
        agree(write, frame)


def drop(write: Fenced, batch: str) -> None:
    """Forget what a batch intended."""
    write.connection.execute(_drop, {"of": batch})


def agree(write: Fenced, frame: pl.DataFrame) -> None:
    """Let these bases hold from now on."""
    place = write.connection.execute(_next_place, {"owner": write.sync}).scalar_one()
    _insert(write, frame, None, place)


def remember(write: Fenced, frame: pl.DataFrame) -> None:
    """Put the sum of all entries in their place."""
    write.connection.execute(bases.delete().where(bases.c.sync == write.sync, bases.c.place.is_not(None)))
    agree(write, frame)


def forget(write: Fenced, keys: Keys) -> None:
    """Rewrite the entries that know one of these keys."""
    if not len(keys):
        return
    gone = pl.DataFrame({"key": pl.Series(keys, dtype=pl.String)})
    query = sa.select(bases.c.id, bases.c.base_blob)
    query = query.where(bases.c.sync == write.sync, bases.c.place.is_not(None))
    for number, blob in write.connection.execute(query).all():
        entry = pl.read_ipc(blob)
        kept = entry.join(gone, on="key", how="anti", maintain_order="left")
        if kept.height < entry.height:
            rewritten = bases.update().where(bases.c.id == number).values(base_blob=_pack(kept))
            write.connection.execute(rewritten)


def _insert(write: Fenced, frame: pl.DataFrame, batch: str | None, place: int | None) -> None:
    values = pl.exclude("key")
    wrong = frame.select(values).select(~selectors.by_dtype(pl.UInt64, pl.Null)).columns
    if wrong:
        raise TypeError(f"sync {write.sync!r}: bases are fingerprints (UInt64), but those of {wrong} are not")
    typed = frame.select(pl.col("key").cast(pl.String), values.cast(pl.UInt64))
    telling = typed.filter(pl.any_horizontal(values.is_not_null()))
    once = telling.unique("key", keep="last", maintain_order=True)
    entry = {"sync": write.sync, "batch": batch, "place": place}
    rows = [entry | {"base_blob": _pack(part)} for part in once.iter_slices(_SLICE)]
    if rows:
        write.connection.execute(bases.insert(), rows)


def _pack(frame: pl.DataFrame) -> bytes:
    blob = io.BytesIO()
    frame.write_ipc(blob, compression="zstd")
    return blob.getvalue()


def _unpack(blob: bytes, fields: Sequence[str]) -> pl.DataFrame:
    entry = pl.read_ipc(blob)
    known = (field if field in entry.columns else pl.lit(None, pl.UInt64).alias(field) for field in fields)
    return entry.select("key", *known)


def _sum(entries: Iterable[Sequence[Any]], fields: Sequence[str]) -> pl.DataFrame:
    """The last of each key and field; the first entry, as a rule the largest by far, needs no grouping."""
    wholes = [
        pl.concat([_unpack(blob, fields) for _, blob in parts])
        for _, parts in groupby(entries, key=itemgetter(0))
    ]
    if not wholes:
        return pl.DataFrame(schema={"key": pl.String} | dict.fromkeys(fields, pl.UInt64))
    known, *newer = wholes
    if newer:
        last = pl.col(fields).last(ignore_nulls=True)
        latest = pl.concat(newer).group_by("key", maintain_order=True).agg(last)
        known = known.update(latest, on="key", how="full")
    return known.filter(pl.any_horizontal(pl.col(fields).is_not_null()))
