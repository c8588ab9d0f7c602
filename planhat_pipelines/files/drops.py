"""A drop, what becomes of it, and the book in which that is written down.

    claimed ──▶ fetched ──▶ imported ──▶ archived ──▶ done
       │           │                         ▲
       ├───────────┼──▶ rejected ────────────┘
       └───────────┴──▶ superseded

The book is always ahead of the bucket by at most one step, and each step may be taken twice, so whoever finds a drop
under way can finish it: see inbox.py and archive.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from planhat_pipelines.files.bucket import S3Object

State = Literal["claimed", "fetched", "imported", "rejected", "archived", "done", "superseded"]

FINAL: tuple[State, ...] = ("done", "superseded")

_NEXT: Mapping[State, tuple[State, ...]] = {
    "claimed": ("claimed", "fetched", "rejected", "superseded"),
    "fetched": ("fetched", "imported", "rejected", "superseded"),
    "imported": ("archived",),
    "rejected": ("archived",),
    "archived": ("done",),
    "done": (),
    "superseded": ("claimed",),  # seen again: what overwrote it was taken away
}


@dataclass(frozen=True, slots=True)
class Drop:
    """One version of one file, for one sync."""

    sync: str
    bucket: str
    object: S3Object

    @property
    def key(self) -> str:
        return self.object.key

    @property
    def id(self) -> str:
        """64 hexadecimal digits. Made of what a listing tells, so without the version id, which it does not: the
        same name with other content, or written again later, is another drop."""
        o = self.object
        told = [self.sync, self.bucket, o.key, o.etag.strip('"'), int(o.modified.timestamp()), o.size]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def order(self) -> tuple[float, str]:
        """Older drops come first; S3 tells time to the second, so the key decides between equals."""
        return self.object.modified.timestamp(), self.object.key


@dataclass(frozen=True, slots=True)
class Entry:
    """A drop in the book.

    tries: how often its import was begun. sha256: of its bytes, once fetched. archive: the key of its copy, once
    archived; None when it was overwritten and its bytes are nowhere any more. report: why it was rejected.
    """

    drop: Drop
    state: State = "claimed"
    tries: int = 1
    sha256: str | None = None
    archive: str | None = None
    report: Mapping[str, Any] | None = None

    def moved(self, state: State, **facts: Any) -> Entry:
        """The entry one step on. Raises ValueError for a step that does not exist."""
        if state not in _NEXT[self.state]:
            raise ValueError(f"a drop that is {self.state} can't become {state}")
        return replace(self, state=state, **facts)


class Book(Protocol):
    """The drops of one sync, as the ledger keeps them, for the one run that may work on them.

    `write` refuses, with an error of its own, when the run was taken over, or when the drop is not in state `was`
    any more (None: it must not be in the book, or be superseded). At most one drop is under way.
    """

    def under_way(self) -> Entry | None:
        """The drop that is neither done nor superseded."""
        ...

    def done(self, ids: Collection[str]) -> set[str]:
        """Which of these drops are done."""
        ...

    def write(self, entry: Entry, was: State | None) -> None:
        """Write the entry down, in one transaction."""
        ...
