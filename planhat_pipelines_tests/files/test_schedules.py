"""Random schedules of suppliers, crashes and restarts; what must hold after each step, and what at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from planhat_pipelines.files import Bucket, Drop, Inbox, S3Object
from planhat_pipelines_tests.files import worker
from planhat_pipelines_tests.files.memory import MemoryClient, MemoryS3, Stored

KEYS = st.sampled_from(["in/a.csv", "in/b.csv", "in/deep/er/a.csv"])
CONTENTS = st.sampled_from([b"id\n1\n", b"id\n2\n", b"id\n33\n", worker.BAD])
POINTS = st.one_of(st.none(), st.integers(1, 45))


class Killed(BaseException):
    pass


class Schedules(RuleBasedStateMachine):
    @initialize(versioned=st.booleans(), honest=st.booleans())
    def begin(self, versioned: bool, honest: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="schedules-"))
        self.s3 = MemoryS3(versioned=versioned, honest=honest)
        self.lost_a_spool = False
        self.last: dict[str, bytes | None] = {}

    @rule(key=KEYS, content=CONTENTS, seconds=st.integers(1, 40))
    def drop(self, key: str, content: bytes, seconds: int) -> None:
        self.s3.wait(seconds)
        self._write(key, content)

    @rule(key=KEYS)
    def take_back(self, key: str) -> None:
        self.s3.take_back(key)
        self.last[key] = None

    @rule()
    def lose_the_spool(self) -> None:
        shutil.rmtree(self.folder / "spool", ignore_errors=True)
        self.lost_a_spool = True

    @rule(die_at=POINTS)
    def tick(self, die_at: int | None) -> None:
        self._run(_kill, die_at)

    @rule(at=st.integers(1, 45), key=KEYS, content=CONTENTS)
    def tick_while_a_supplier_writes(self, at: int, key: str, content: bytes) -> None:
        if self.s3.honest:  # without conditions some milliseconds are open, as documented
            self.s3.wait(5)
            self._run(lambda: self._write(key, content), at)

    def _write(self, key: str, content: bytes) -> None:
        self.s3.put_object("drops", key, content)
        self.last[key] = content

    def _run(self, do: Callable[[], None], at: int | None) -> None:
        seen = 0

        def point() -> None:
            nonlocal seen
            seen += 1
            if seen == at:
                do()

        with suppress(Killed):
            worker.work(self._inbox(point), self.book)

    def _inbox(self, point: worker.Point) -> Inbox:
        self.book = worker.StoppableBook(self.folder / "book.sqlite", point)
        bucket = Bucket(MemoryClient(self.s3, point), "drops")
        return Inbox("devices", bucket, worker.layout(""), self.book, self.folder / "spool")

    @precondition(lambda self: hasattr(self, "book"))
    @invariant()
    def only_what_was_archived_is_removed(self) -> None:
        entries = {entry.drop.id: entry for entry in self.book.entries()}
        for key, stored in self.s3.removed:
            if key.startswith("in/"):
                found = entries.get(_drop(key, stored).id)
                assert found, f"{key} was removed and never claimed"
                assert found.state in ("archived", "done"), f"{key} was removed while {found.state}"

    @precondition(lambda self: hasattr(self, "book"))
    @invariant()
    def archived_is_imported_with_the_same_bytes(self) -> None:
        delivered = dict(self.book.delivered())
        for entry in self.book.entries():
            if entry.state in ("imported", "archived", "done") and entry.report is None:
                assert entry.drop.id in delivered
            if entry.state in ("archived", "done"):
                lost = self.lost_a_spool and not self.s3.versioned
                assert entry.archive or lost, "bytes were lost that were on disk or in the bucket"

    def teardown(self) -> None:
        if not hasattr(self, "s3"):
            return
        try:
            self.s3.wait(60)
            inbox = self._inbox(lambda: None)
            worker.work(inbox, self.book)
            assert worker.problems(self.book, inbox) == []
            keys = {entry.drop.id: entry.drop.key for entry in self.book.entries()}
            newest = {keys[drop_id]: content for drop_id, content in self.book.delivered()}
            for key, content in self.last.items():
                if content not in (None, worker.BAD):
                    assert newest[key] == content, f"{key} does not end with what was dropped last"
        finally:
            shutil.rmtree(self.folder)


def _kill() -> None:
    raise Killed


def _drop(key: str, stored: Stored) -> Drop:
    found = S3Object(key, stored.etag, stored.modified, len(stored.content))
    return Drop("devices", "drops", found)


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("versioned", [False, True])
def test_a_drop_written_over_at_any_moment_of_an_import_loses_nothing(
    versioned: bool, tmp_path: Path
) -> None:
    old, new = b"id\n1\n", b"id\n2\n"
    for at in range(1, 100):
        s3, seen = MemoryS3(versioned=versioned), 0

        def point(s3: MemoryS3 = s3, at: int = at) -> None:
            nonlocal seen
            seen += 1
            if seen == at:
                s3.wait(5)
                s3.put_object("drops", "in/a.csv", new)

        folder = tmp_path / str(at)
        folder.mkdir()
        s3.put_object("drops", "in/a.csv", old)
        book = worker.StoppableBook(folder / "book.sqlite", point)
        inbox = Inbox(
            "devices", Bucket(MemoryClient(s3, point), "drops"), worker.layout(""), book, folder / "spool"
        )
        worker.work(inbox, book)
        if seen < at:
            break
        worker.work(inbox, book)  # what came after the last look
        contents = [content for _, content in book.delivered()]
        assert contents[-1] == new, f"written over at point {at}"
        assert worker.problems(book, inbox) == [], f"written over at point {at}"
        archived = [entry.archive for entry in book.entries() if entry.state == "done"]
        assert [s3.objects[key][-1].content for key in archived] == contents, f"written over at point {at}"
    assert 30 < at < 99
