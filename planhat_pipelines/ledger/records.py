"""What Planhat was last told of every record of a sync: key and fingerprint, packed in pages.

Batches of records carry the fingerprint of each row beside its key. The pages hold the sum of all batches up to
some moment; batches settled since lie on top, so that a crash between the two loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.blobs import key_column, pack_keys, pack_points, unpack_points
from planhat_pipelines.ledger.fence import Fenced

PURPOSE = "records"
_PAGE = 100_000
_SCHEMA = {"key": pl.String, "hash": pl.UInt64}
_pages, _batches, _contents = schema.records, schema.batches, schema.contents


def known(connection: sa.Connection, sync: str) -> pl.DataFrame:
    """One row a record: `key` (text) and `hash` (UInt64) of what was sent last."""
    pages = (
        sa.select(_pages.c.row_blob, _pages.c.point_blob).where(_pages.c.sync == sync).order_by(_pages.c.page)
    )
    newer = (
        sa.select(_contents.c.row_blob, _contents.c.point_blob)
        .join(_batches, _batches.c.id == _contents.c.batch)
        .where(*_settled(sync))
        .order_by(_batches.c.settled_at, _batches.c.id)
    )
    parts = [_part(rows, points) for query in (pages, newer) for rows, points in connection.execute(query)]
    if len(parts) < 2:
        return parts[0] if parts else pl.DataFrame(schema=_SCHEMA)
    return pl.concat(parts).unique("key", keep="last", maintain_order=True)


def remember(write: Fenced, records: pl.DataFrame) -> None:
    """Replace the pages by these records, and let go of the batches whose sum they are."""
    write.connection.execute(_pages.delete().where(_pages.c.sync == write.sync))
    rows = [
        {
            "sync": write.sync,
            "page": page,
            "row_blob": pack_keys(part["key"]),
            "point_blob": pack_points(part["hash"].to_numpy()),
        }
        for page, part in enumerate(_parts(records))
    ]
    if rows:
        write.connection.execute(_pages.insert(), rows)
    summed = sa.select(_batches.c.id).where(*_settled(write.sync))
    write.connection.execute(_contents.update().where(_contents.c.batch.in_(summed)).values(point_blob=None))


def _settled(sync: str) -> tuple[sa.ColumnElement[bool], ...]:
    # A batch whose fingerprints are gone is part of the pages; its keys stay, as an open window asks for them.
    has_points = _batches.c.id.in_(sa.select(_contents.c.batch).where(_contents.c.point_blob.is_not(None)))
    return _batches.c.sync == sync, _batches.c.purpose == PURPOSE, _batches.c.state == "settled", has_points


def _part(rows: bytes, points: bytes) -> pl.DataFrame:
    return pl.DataFrame({"key": key_column(rows), "hash": unpack_points(points)}, schema=_SCHEMA)


def _parts(records: pl.DataFrame) -> Iterable[pl.DataFrame]:
    return records.iter_slices(_PAGE) if records.height else ()
