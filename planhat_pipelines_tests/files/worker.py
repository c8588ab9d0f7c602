"""A worker that takes drops through the protocol and can be stopped before and after each of its effects."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from planhat_pipelines.files import Bucket, Entry, Inbox, Layout, S3Account, S3Client, S3Object, Superseded
from planhat_pipelines.files.bucket import Removed
from planhat_pipelines.files.drops import State
from planhat_pipelines.files.spool import Spool
from planhat_pipelines_tests.files.books import FileBook

Point = Callable[[], None]
BAD = b"\x00unreadable"
_KEYS = {"access_key_id": "any", "secret_access_key": "any"}
assert S3Client(
    S3Account("us-east-1", **_KEYS)
).endpoint  # once, before workers are forked from who imports this


def layout(root: str) -> Layout:
    """An inbox and an archive below `root`, so that tests share a bucket and nothing else."""
    places = {name: f"{root}{name}/" for name in ("processed", "failed", "rejected")}
    return Layout(f"{root}in/", "**/*.csv", settle_seconds=0, **places)


class StoppableBucket(Bucket):
    def __init__(self, client: S3Client, name: str, point: Point) -> None:
        super().__init__(client, name)
        self.point = point

    def fetch(self, item: S3Object, spool: Spool, path: Path) -> str:
        self.point()
        digest = super().fetch(item, spool, path)
        self.point()
        return digest

    def put(self, key: str, content: bytes | Path, kind: str = "text/csv") -> None:
        self.point()
        super().put(key, content, kind)
        self.point()

    def copy(self, item: S3Object, key: str) -> None:
        self.point()
        super().copy(item, key)
        self.point()

    def remove(self, item: S3Object) -> Removed:
        self.point()
        removed = super().remove(item)
        self.point()
        return removed


class StoppableBook(FileBook):
    def __init__(self, path: Path, point: Point) -> None:
        self.point = point
        super().__init__(path)

    def write(self, entry: Entry, was: State | None) -> None:
        self.point()
        super().write(entry, was)
        self.point()

    def deliver(self, entry: Entry, content: bytes) -> None:
        self.point()
        super().deliver(entry, content)
        self.point()


def work(inbox: Inbox, book: FileBook, most: int = 20) -> None:
    """Import all that waits, one drop after the other."""
    for _ in range(most):
        if (entry := inbox.next()) is None:
            return
        try:
            entry, path = inbox.fetch(entry)
        except Superseded:
            continue
        content = path.read_bytes()
        if content == BAD:
            entry = inbox.reject(entry, {"reason": "not a CSV file"})
        else:
            book.deliver(entry, content)
            entry = inbox.imported(entry)
        inbox.finish(entry)
    raise AssertionError("the inbox never becomes empty")


def work_until(account: S3Account, bucket: str, root: str, folder: Path, die_at: int) -> None:
    """For a process of its own, which is killed like with kill -9 at its `die_at`-th point."""
    seen = 0

    def point() -> None:
        nonlocal seen
        seen += 1
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    book = StoppableBook(folder / "book.sqlite", point)
    stoppable = StoppableBucket(S3Client(account), bucket, point)
    work(Inbox("devices", stoppable, layout(root), book, folder / "spool"), book)


def problems(book: FileBook, inbox: Inbox) -> list[str]:
    """What must hold after all work is done, and does not."""
    bucket, places, spool = inbox.bucket, inbox.layout, inbox.spool.folder
    found = [
        f"left in the inbox: {item.key}" for page in bucket.pages(places.prefix) for item in page.objects
    ]
    delivered = dict(book.delivered())
    for entry in book.entries():
        name = f"{entry.drop.key} {entry.drop.id[:6]} ({entry.state})"
        if entry.state not in ("done", "superseded"):
            found.append(f"{name} is not finished")
        if entry.state != "done":
            continue
        if entry.report is None and entry.drop.id not in delivered:
            found.append(f"{name} was never delivered")
        if entry.archive:
            place = places.failed if entry.report is not None else places.processed
            if not entry.archive.startswith(place):
                found.append(f"{name} lies in {entry.archive}")
            if hashlib.sha256(bucket.read(entry.archive)).hexdigest() != entry.sha256:
                found.append(f"{name} has other bytes in the archive")
    if spool.exists():
        found += [f"left on disk: {file.name}" for file in spool.iterdir()]
    return found
