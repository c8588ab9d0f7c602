"""The inbox of one sync: which drops wait there, and each of them from its claim to its place in the archive."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planhat_pipelines.files import archive, names
from planhat_pipelines.files.bucket import Bucket, S3Object
from planhat_pipelines.files.drops import Book, Drop, Entry
from planhat_pipelines.files.errors import Changed, NotThere, Superseded
from planhat_pipelines.files.spool import Spool

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Layout:
    """Where the drops of one sync lie, and where they go.

    prefix, pattern: drops are the keys that start with `prefix` and whose rest fits the glob `pattern`: `*.csv`,
    `**/devices-*.csv`. Two syncs may share a bucket when no key fits both.
    settle_seconds: younger objects wait, for suppliers that write a key several times.
    done_marker: an ending such as `.done`; then `devices.csv` waits for a `devices.csv.done` that is not older.
    processed, failed, rejected: prefixes for imported drops, for unreadable ones, and for refused rows.
    """

    prefix: str
    pattern: str = "**"
    settle_seconds: float = 30.0
    done_marker: str | None = None
    processed: str = "processed/"
    failed: str = "failed/"
    rejected: str = "rejected/"

    def __post_init__(self) -> None:
        """Raises ValueError when what was moved away would be listed again."""
        places = {"processed": self.processed, "failed": self.failed, "rejected": self.rejected}
        for name, place in places.items():
            if not place.endswith("/") or place.startswith("/"):
                raise ValueError(f"{name}: {place!r} must end with a slash, and not start with one")
            if place.startswith(self.prefix) and not self.only_folder:
                raise ValueError(
                    f"{name}: {place!r} lies in the prefix {self.prefix!r} that is listed. Put it elsewhere, or "
                    "give a pattern without folders, such as *.csv"
                )
            if self.prefix.startswith(place):
                raise ValueError(f"prefix: {self.prefix!r} lies in {name}: {place!r}")

    @property
    def only_folder(self) -> bool:
        """Whether the pattern stays in one folder, so that those below it need not be listed."""
        return "/" not in self.pattern and "**" not in self.pattern

    def takes(self, key: str) -> bool:
        """Whether a key is a drop, by its name."""
        name = key[len(self.prefix) :].removeprefix("/")
        if self.done_marker and name.endswith(self.done_marker):
            return False
        return key.startswith(self.prefix) and names.is_finished(name) and names.matches(self.pattern, name)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What lies in an inbox: drops to import, oldest first, and how many objects are too young, lack their
    marker, or are there again unchanged after they were done."""

    drops: tuple[Drop, ...]
    too_young: int = 0
    unmarked: int = 0
    done_before: int = 0

    def __str__(self) -> str:
        told = [
            (len(self.drops), "to import"),
            (self.too_young, "too young"),
            (self.unmarked, "without marker"),
            (self.done_before, "imported before"),
        ]
        return ", ".join(f"{count} {what}" for count, what in told if count) or "nothing"


class Inbox:
    """One sync's drops. Each method may be called again after a crash, by another worker too.

    entry = inbox.next()               the drop to work on, after finishing what a killed run left
    path = inbox.fetch(entry)          its bytes on local disk
    inbox.imported(entry)              all its rows have a verdict and are settled; or
    inbox.reject(entry, report)        it can't be read at all
    inbox.finish(entry)                copy to the archive, check, remove
    """

    def __init__(self, sync: str, bucket: Bucket, layout: Layout, book: Book, spool: Path) -> None:
        self.sync, self.bucket, self.layout, self.book = sync, bucket, layout, book
        self.spool = Spool(spool)
        self._ahead: deque[Drop] = (
            deque()
        )  # listed and not yet claimed: a backlog is not listed again for each drop

    def waiting(self) -> Waiting:
        """Look into the inbox; changes nothing."""
        found: list[S3Object] = []
        marks: dict[str, S3Object] = {}
        young, marker = 0, self.layout.done_marker
        for page in self.bucket.pages(self.layout.prefix, only_folder=self.layout.only_folder):
            for item in page.objects:
                if marker and item.key.endswith(marker):
                    marks[item.key.removesuffix(marker)] = item
                elif self.layout.takes(item.key):
                    settled = (page.now - item.modified).total_seconds() >= self.layout.settle_seconds
                    found += [item] if settled else []
                    young += not settled
        marked = [o for o in found if not marker or (o.key in marks and marks[o.key].modified >= o.modified)]
        drops = [Drop(self.sync, self.bucket.name, item) for item in marked]
        done = self.book.done([drop.id for drop in drops]) if drops else set[str]()
        new = sorted((drop for drop in drops if drop.id not in done), key=lambda drop: drop.order)
        return Waiting(tuple(new), young, len(found) - len(marked), len(drops) - len(new))

    def next(self) -> Entry | None:
        """The drop to import now: the one under way, else the oldest that waits. One at a time, so that a later
        file's values end on top."""
        entry = self.book.under_way()
        self.spool.keep_only([entry.drop.id] if entry else [])
        if entry and entry.state in ("imported", "rejected", "archived"):
            self.finish(entry)
            entry = None
        if entry:
            again = entry.moved(entry.state, tries=entry.tries + 1)
            self.book.write(again, entry.state)
            return again
        for listed in (False, True):  # what an earlier listing still holds, then a new one
            if listed:
                self._ahead = deque(self.waiting().drops)
            while self._ahead:
                if claimed := self.claim(self._ahead.popleft()):
                    return claimed
        return None

    def claim(self, drop: Drop) -> Entry | None:
        """Write the drop down as ours; None when it is not there any more as it was listed."""
        try:
            now = self.bucket.look(drop.key)
        except NotThere:
            return None
        if not now.is_same(drop.object):
            return None
        entry = Entry(Drop(drop.sync, drop.bucket, now))
        self.book.write(entry, None)
        return entry

    def fetch(self, entry: Entry) -> tuple[Entry, Path]:
        """The drop's bytes in a local file named by its id. Raises Superseded when they are not to be had any
        more: the entry is closed then, and what lies there now is the next drop."""
        drop, path = entry.drop, self.spool.path(entry.drop.id)
        if entry.state == "fetched" and self.spool.holds(drop.id, entry.sha256):
            return entry, path
        try:
            digest = self.bucket.fetch(drop.object, self.spool, path)
        except (Changed, NotThere):
            self.book.write(entry.moved("superseded"), entry.state)
            raise Superseded(
                f"The file {names.shown(drop.key)} of sync {drop.sync} was overwritten or taken away before it was "
                "read. What lies there now is imported next."
            ) from None
        fetched = entry.moved("fetched", sha256=digest)
        self.book.write(fetched, entry.state)
        return fetched, path

    def imported(self, entry: Entry) -> Entry:
        """Every row has its verdict, and what was sent is settled. Where the book lies in the database that says
        so, write `entry.moved("imported")` in that transaction instead."""
        imported = entry.moved("imported")
        self.book.write(imported, entry.state)
        return imported

    def reject(self, entry: Entry, report: Mapping[str, Any]) -> Entry:
        """The drop can't be read at all. `report`: reason, place in the file, counts; no values of rows."""
        rejected = entry.moved("rejected", report=dict(report))
        self.book.write(rejected, entry.state)
        return rejected

    def put_refused_rows(self, entry: Entry, frames: Iterable[pl.DataFrame]) -> str:
        """Write the refused rows of a good drop to `rejected/`, as one CSV file to be corrected and dropped
        again. All frames have the same columns: the drop's own, `row` and `reason`. Returns its key, which a
        repeat overwrites."""
        key = archive.archive_key(self.layout.rejected, entry.drop, ".csv")
        archive.put_rows(self.bucket, self.spool, entry.drop, key, frames)
        return key

    def finish(self, entry: Entry) -> Entry:
        """From imported or rejected to done: archive, then remove, then forget the local file."""
        if entry.state != "archived":
            place = self.layout.failed if entry.state == "rejected" else self.layout.processed
            key = archive.archive(self.bucket, self.spool, entry, place)
            archived = entry.moved("archived", archive=key)
            self.book.write(archived, entry.state)
            entry = archived
        removed = self.bucket.remove(entry.drop.object)
        if removed != "newer" and self.layout.done_marker:
            self.bucket.remove_key(entry.drop.key + self.layout.done_marker)
        done = entry.moved("done")
        self.book.write(done, entry.state)
        self.spool.keep_only([])
        return done
