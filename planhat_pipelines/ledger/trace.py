"""Which batch carried one row last."""

from __future__ import annotations

import zlib

import sqlalchemy as sa

from planhat_pipelines.ledger.batches import to_batch, whole
from planhat_pipelines.ledger.blobs import unpack_keys
from planhat_pipelines.ledger.models import Batch
from planhat_pipelines.ledger.schema import batches

_AT_A_TIME = 20


def last_batches(connection: sa.Connection, sync: str, row: str) -> dict[str, Batch]:
    """The newest batch of each purpose that holds the row."""
    purposes = set(
        connection.execute(sa.select(batches.c.purpose).where(batches.c.sync == sync).distinct()).scalars()
    )
    found: dict[str, Batch] = {}
    query = whole().where(batches.c.sync == sync).order_by(batches.c.intended_at.desc(), batches.c.id)
    for each in connection.execute(query, execution_options={"yield_per": _AT_A_TIME}).mappings():
        if each["purpose"] not in found and _holds(each["row_blob"], row):
            found[each["purpose"]] = to_batch(dict(each))
            if found.keys() == purposes:
                break
    return found


def _holds(blob: bytes, row: str) -> bool:
    text = zlib.decompress(blob)
    if text.startswith(b"lines") and row.encode() not in text:
        return False  # spares parting the keys of nearly all batches
    return row in unpack_keys(blob)
