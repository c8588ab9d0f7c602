"""Which batch carried one row last, and a choice of batches to look at."""

from __future__ import annotations

import random
import zlib

import sqlalchemy as sa

from planhat_pipelines.ledger.batches import to_batch, whole
from planhat_pipelines.ledger.blobs import unpack_keys
from planhat_pipelines.ledger.models import Batch
from planhat_pipelines.ledger.schema import batches, contents

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


def some_batches(
    connection: sa.Connection, sync: str, purpose: str, many: int, before: float, seed: int
) -> list[Batch]:
    """The newest settled batches with points, and older ones that `seed` chooses; half of each, the newest first."""
    settled = (
        sa.select(batches.c.id)
        .join(contents, contents.c.batch == batches.c.id)
        .where(batches.c.sync == sync, batches.c.purpose == purpose, batches.c.state == "settled")
        .where(batches.c.settled_at <= before, contents.c.point_blob.is_not(None))
        .order_by(batches.c.settled_at.desc(), batches.c.id)
    )
    ids = list(connection.execute(settled).scalars())
    newest, older = ids[: (many + 1) // 2], ids[(many + 1) // 2 :]
    chosen = newest + random.Random(seed).sample(older, min(len(older), many - len(newest)))  # noqa: S311
    found = {
        row["id"]: to_batch(dict(row))
        for row in connection.execute(whole().where(batches.c.id.in_(chosen))).mappings()
    }
    return [found[each] for each in chosen]


def _holds(blob: bytes, row: str) -> bool:
    text = zlib.decompress(blob)
    if text.startswith(b"lines") and row.encode() not in text:
        return False  # spares parting the keys of nearly all batches
    return row in unpack_keys(blob)
