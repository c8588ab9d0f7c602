"""The book of drops, kept in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from planhat_pipelines.files import Drop, Entry, S3Object, State
from planhat_pipelines.ledger import Claim, Ledger

DIGITS = 12
"""How many digits of a drop's id begin the places of its rows: `0123456789ab:17` is line 17."""


@dataclass(frozen=True)
class DropBook:
    """What files.Book asks for. Without a claim it can only be read."""

    sync: str
    ledger: Ledger
    claim: Claim | None = None

    def under_way(self) -> Entry | None:
        """The drop that is neither done nor superseded."""
        row = self.ledger.drop_under_way(self.sync)
        return None if row is None else entry_of(row)

    def done(self, ids: Collection[str]) -> set[str]:
        """Which of these drops are done."""
        return self.ledger.drops_done(self.sync, ids)

    def write(self, entry: Entry, was: State | None) -> None:
        """Write the entry down under the run's claim. Raises DropState, ClaimLost."""
        if self.claim is None:
            raise TypeError("a book without a claim is only read")
        self.claim.write_drop(row_of(entry), was)


def row_of(entry: Entry) -> dict[str, Any]:
    """An entry as a row of the ledger."""
    found = entry.drop.object
    return {
        "id": entry.drop.id,
        "bucket": entry.drop.bucket,
        "key": found.key,
        "etag": found.etag,
        "modified": found.modified.timestamp(),
        "size": found.size,
        "version": found.version,
        "state": entry.state,
        "tries": entry.tries,
        "sha256": entry.sha256,
        "archive": entry.archive,
        "report": None if entry.report is None else dict(entry.report),
    }


def entry_of(row: Mapping[str, Any]) -> Entry:
    """A row of the ledger as an entry."""
    found = S3Object(row["key"], row["etag"], row["modified"], row["size"], row["version"])
    return Entry(
        Drop(row["sync"], row["bucket"], found),
        row["state"],
        row["tries"],
        row["sha256"],
        row["archive"],
        row["report"],
    )
