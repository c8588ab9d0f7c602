"""Keep what was imported or could not be read, under names made of the drop's identity.

A name is the same at each try and different for each version, so nothing is ever overwritten but by itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from planhat_pipelines.files.bucket import Bucket
from planhat_pipelines.files.drops import Drop, Entry
from planhat_pipelines.files.errors import Changed, NotThere
from planhat_pipelines.files.names import archived_as, shown
from planhat_pipelines.files.spool import Spool

if TYPE_CHECKING:
    import polars as pl

_log = logging.getLogger(__name__)


def archive_key(place: str, drop: Drop, extension: str | None = None) -> str:
    """`place/sync/yyyy/mm/dd/name.identity.ext`, by the day on which the drop came (UTC)."""
    return (
        f"{place}{drop.sync}/{drop.object.modified:%Y/%m/%d}/{archived_as(drop.key, drop.id[:12], extension)}"
    )


def archive(bucket: Bucket, spool: Spool, entry: Entry, place: str) -> str | None:
    """Keep the drop's bytes, and the report of a rejected one beside them. Returns the key; None when the drop
    was overwritten and its bytes are neither here nor in the bucket."""
    key = archive_key(place, entry.drop)
    kept = _keep(bucket, spool, entry, key)
    if not kept:
        _log.warning(
            "The file %s of sync %s was overwritten before it was archived, and its local copy is lost: "
            "there is no archived copy of drop %s.",
            shown(entry.drop.key),
            entry.drop.sync,
            entry.drop.id[:12],
        )
    if entry.state == "rejected":
        report = json.dumps(_report(entry), indent=2, ensure_ascii=False, default=str)
        bucket.put(f"{key}.error.json", report.encode(), "application/json")
    return key if kept else None


def put_rows(bucket: Bucket, spool: Spool, drop: Drop, key: str, frames: Iterable[pl.DataFrame]) -> None:
    """Write frames as one CSV file, by way of local disk, as there may be many."""
    path = spool.path(f"{drop.id}.rows")
    with spool.writing(path) as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)
    bucket.put(key, path, "text/csv")
    path.unlink()


def _keep(bucket: Bucket, spool: Spool, entry: Entry, key: str) -> bool:
    found = entry.drop.object
    sure = bucket.guarantees.copy_if_match
    if sure and _copied(bucket, entry, key):
        return True
    if spool.holds(entry.drop.id, entry.sha256):
        bucket.put(key, spool.path(entry.drop.id))
        return True
    try:  # an earlier try may have got this far
        if bucket.look(key).size == found.size:
            return True
    except NotThere:
        pass
    # a store that ignores the condition, and no bytes of our own: compare, then copy within milliseconds
    return not sure and _unchanged(bucket, entry) and _copied(bucket, entry, key)


def _copied(bucket: Bucket, entry: Entry, key: str) -> bool:
    try:
        bucket.copy(entry.drop.object, key)
    except (Changed, NotThere):
        return False
    return True


def _unchanged(bucket: Bucket, entry: Entry) -> bool:
    try:
        return bucket.look(entry.drop.key).is_same(entry.drop.object)
    except NotThere:
        return False


def _report(entry: Entry) -> dict[str, object]:
    found = entry.drop.object
    about = {"key": found.key, "size": found.size, "modified": found.modified, "sha256": entry.sha256}
    return {"sync": entry.drop.sync, "drop": entry.drop.id, "file": about, **(entry.report or {})}
