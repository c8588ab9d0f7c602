"""What Planhat was last told of every record of a sync: key and fingerprint, packed in pages.

Batches of records carry the fingerprint of each row beside its key. The pages hold the sum of all batches up to
some moment; batches settled since lie on top, so that a crash between the two loses nothing. They are summed up when
many of them lie there, not after each run: reading some hundred costs little, writing a million keys does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.blobs import Keys, key_column, pack_keys, pack_points, unpack_points
from planhat_pipelines.ledger.fence import Fenced

PURPOSE = "records"
_PAGE = 100_000
_MANY = 300  # batches
_AT_A_TIME = 20  # pages or batches that are fetched
_SCHEMA = {"key": pl.String, "hash": pl.UInt64}
_pages, _batches, _contents = schema.records, schema.batches, schema.contents


def known(connection: sa.Connection, sync: str) -> pl.DataFrame:
    """One row a record: `key` (text) and `hash` (UInt64) of what was sent last."""
    found = pl.concat([pl.DataFrame(schema=_SCHEMA), *parts(connection, sync)])
    return found.unique("key", keep="last", maintain_order=True)


def parts(connection: sa.Connection, sync: str) -> Iterator[pl.DataFrame]:
    """The same in frames of bounded size, the oldest first: a key may come again, and then the last counts."""
    pages = (
        sa.select(_pages.c.row_blob, _pages.c.point_blob).where(_pages.c.sync == sync).order_by(_pages.c.page)
    )
    newer = (
        sa.select(_contents.c.row_blob, _contents.c.point_blob)
        .join(_batches, _batches.c.id == _contents.c.batch)
        .where(*_settled(sync))
        .order_by(_batches.c.settled_at, _batches.c.id)
    )
    for query in (pages, newer):
        for rows, points in connection.execute(query, execution_options={"yield_per": _AT_A_TIME}):
            yield pl.DataFrame({"key": key_column(rows), "hash": unpack_points(points)}, schema=_SCHEMA)


def sum_up(write: Fenced, forget: Keys = ()) -> None:
    """Where many batches lie on top of the pages, make pages of all, and let go of their fingerprints. Nothing is known
    afterwards of the records in `forget`."""
    on_top = sa.select(sa.func.count()).select_from(_batches).where(*_settled(write.sync))
    if not len(forget) and write.connection.execute(on_top).scalar_one() <= _MANY:
        return
    pages = list(_summed(write, pl.Series(forget, dtype=pl.String)))
    write.connection.execute(_pages.delete().where(_pages.c.sync == write.sync))
    if pages:
        write.connection.execute(_pages.insert(), pages)
    summed = sa.select(_batches.c.id).where(*_settled(write.sync))
    write.connection.execute(_contents.update().where(_contents.c.batch.in_(summed)).values(point_blob=None))


def _summed(write: Fenced, forget: pl.Series) -> Iterator[dict[str, Any]]:
    """The new pages. All is read twice, so that no more than hashes of the keys is in memory at once."""
    last = _last(part["key"].hash().to_numpy() for part in parts(write.connection, write.sync))
    at, page, held = 0, 0, pl.DataFrame(schema=_SCHEMA)
    for part in parts(write.connection, write.sync):
        counts = pl.Series(last[at : at + part.height])
        at += part.height
        held = pl.concat([held, part.filter(counts & ~part["key"].is_in(forget.implode()))])
        while held.height >= _PAGE or (at == len(last) and held.height):
            full, held = held[:_PAGE], held[_PAGE:]
            yield {
                "sync": write.sync,
                "page": page,
                "row_blob": pack_keys(full["key"]),
                "point_blob": pack_points(full["hash"].to_numpy()),
            }
            page += 1


def _last(hashes: Iterable[npt.NDArray[np.uint64]]) -> npt.NDArray[np.bool_]:
    """Which of all these do not come again later."""
    found = np.concatenate([np.empty(0, np.uint64), *hashes])
    order = np.argsort(found, kind="stable")
    last = np.ones(len(found), bool)
    last[order[:-1]] = found[order][1:] != found[order][:-1]
    return last


def _settled(sync: str) -> tuple[sa.ColumnElement[bool], ...]:
    # A batch whose fingerprints are gone is part of the pages; its keys stay, as an open window asks for them.
    has_points = _batches.c.id.in_(sa.select(_contents.c.batch).where(_contents.c.point_blob.is_not(None)))
    return _batches.c.sync == sync, _batches.c.purpose == PURPOSE, _batches.c.state == "settled", has_points
