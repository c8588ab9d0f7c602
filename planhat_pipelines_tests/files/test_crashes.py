"""kill -9 before and after every effect of the protocol, on a real store, and a worker that wakes up too late."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from planhat_pipelines.files import Bucket, FilesError, Inbox
from planhat_pipelines_tests.files import worker
from planhat_pipelines_tests.files.books import FileBook, TakenOver

EFFECTS = [
    "claimed",
    "fetch",
    "fetched",
    "deliver",
    "imported",
    "probe",
    "copy",
    "archived",
    "remove",
    "done",
]
POINTS = [f"{when} {effect}" for effect in EFFECTS for when in ("before", "after")]
WITHOUT_PROBE = [
    point for point in POINTS if "probe" not in point
]  # of a process that knows the store already
# A process dies alike before an effect and after the one before it: between them it leaves nothing behind.
MOMENTS = [POINTS[0], *(point for point in POINTS if point.startswith("after"))]
OLD, NEW = b"id\n1\n", b"id\n2\n"

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["boto3", "planhat_pipelines_tests.files.worker"])


@dataclass
class Scene:
    """One file in one inbox, and the workers that come and go."""

    bucket: Bucket
    root: str
    folder: Path

    def drop(self, content: bytes) -> None:
        self.bucket.put(f"{self.root}in/devices.csv", content)

    def keys(self, place: str) -> list[str]:
        pages = self.bucket.pages(f"{self.root}{place}/devices/")
        return sorted((item.key for page in pages for item in page.objects), key=len)

    def contents(self, place: str) -> list[bytes]:
        return sorted(self.bucket.read(key) for key in self.keys(place))

    def end_of_worker(self, die_at: int) -> int | None:
        args = (self.bucket.client.account, self.bucket.name, self.root, self.folder, die_at)
        process = processes.Process(target=worker.work_until, args=args)
        process.start()
        process.join(60)
        return process.exitcode

    def kill(self, point: str) -> None:
        assert self.end_of_worker(POINTS.index(point) + 1) == -9

    def finish(self, spool: str = "spool") -> FileBook:
        book = FileBook(self.folder / "book.sqlite")
        inbox = Inbox("devices", self.bucket, worker.layout(self.root), book, self.folder / spool)
        worker.work(inbox, book)
        assert worker.problems(book, inbox) == []
        return book


@pytest.fixture
def scene(bucket: Bucket, root: str, tmp_path: Path) -> Scene:
    found = Scene(bucket, root, tmp_path)
    found.drop(OLD)
    return found


@pytest.fixture
def versioned(versioned_bucket: Bucket, root: str, tmp_path: Path) -> Scene:
    found = Scene(versioned_bucket, root, tmp_path)
    found.drop(OLD)
    return found


def test_the_points_are_all_there_are(scene: Scene) -> None:
    assert scene.end_of_worker(len(POINTS) + 1) == 0
    assert [content for _, content in scene.finish().delivered()] == [OLD]


@pytest.mark.matrix
@pytest.mark.parametrize("point", MOMENTS)
def test_the_next_worker_finishes_what_a_killed_one_began(point: str, scene: Scene) -> None:
    scene.kill(point)
    assert [content for _, content in scene.finish().delivered()] == [OLD]
    assert scene.contents("processed") == [OLD]


@pytest.mark.matrix
@pytest.mark.parametrize("point", MOMENTS)
def test_what_is_written_over_a_drop_after_a_kill_is_imported_and_nothing_imported_is_lost(
    point: str, scene: Scene
) -> None:
    scene.kill(point)
    scene.drop(NEW)
    delivered = [content for _, content in scene.finish().delivered()]
    assert delivered[-1] == NEW
    assert scene.contents("processed") == sorted(delivered)


@pytest.mark.parametrize(
    "point", ["after claimed", "after deliver", "after imported", "after copy", "after remove"]
)
def test_a_worker_elsewhere_finishes_too_and_says_when_overwritten_bytes_are_gone(
    point: str, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.kill(point)
    scene.drop(NEW)
    shutil.rmtree(scene.folder / "spool", ignore_errors=True)
    book = scene.finish("elsewhere")
    assert book.delivered()[-1][1] == NEW
    gone = [entry for entry in book.entries() if entry.state == "done" and entry.archive is None]
    assert len(gone) == (point == "after imported"), "only there nobody has the bytes any more"
    assert ("no archived copy" in caplog.text) == bool(gone)


@pytest.mark.parametrize("point", ["after claimed", "after deliver", "after imported", "after copy"])
def test_a_bucket_with_versions_keeps_an_overwritten_drop_for_any_worker(
    point: str, versioned: Scene
) -> None:
    versioned.kill(point)
    versioned.drop(NEW)
    shutil.rmtree(versioned.folder / "spool", ignore_errors=True)
    assert [content for _, content in versioned.finish("elsewhere").delivered()] == [OLD, NEW]
    assert versioned.contents("processed") == [OLD, NEW]


@pytest.mark.parametrize("point", ["before copy", "after copy", "before remove", "after remove"])
def test_a_rejected_drop_lands_in_failed_with_its_report_wherever_its_worker_is_killed(
    point: str, scene: Scene
) -> None:
    scene.drop(worker.BAD)
    when, effect = point.split()
    done = EFFECTS.index(effect) - 1 + (effect == "remove")  # nothing is delivered; a report follows the copy
    assert scene.end_of_worker(2 * done + (1 if when == "before" else 2)) == -9
    assert scene.finish().delivered() == []
    data, report = scene.keys("failed")
    assert scene.bucket.read(data) == worker.BAD
    assert report == f"{data}.error.json"
    assert b"not a CSV file" in scene.bucket.read(report)


@pytest.mark.matrix
@pytest.mark.parametrize("overwritten", [False, True])
@pytest.mark.parametrize("point", WITHOUT_PROBE[:-1])
def test_a_worker_that_was_taken_over_while_it_slept_does_no_harm(
    point: str, overwritten: bool, scene: Scene
) -> None:
    asleep, wake, seen, end = threading.Event(), threading.Event(), [0], list[str]()

    def sleep_here() -> None:
        seen[0] += 1
        if seen[0] == WITHOUT_PROBE.index(point) + 1:
            asleep.set()
            assert wake.wait(30)

    def sleeper() -> None:
        book = worker.StoppableBook(scene.folder / "book.sqlite", sleep_here)
        slow = worker.StoppableBucket(scene.bucket.client, scene.bucket.name, sleep_here)
        try:
            worker.work(Inbox("devices", slow, worker.layout(scene.root), book, scene.folder / "spool"), book)
        except (TakenOver, FilesError) as error:
            end.append(type(error).__name__)
        finally:
            asleep.set()

    assert scene.bucket.guarantees.delete_if_match
    thread = threading.Thread(target=sleeper)
    thread.start()
    assert asleep.wait(30)
    if overwritten:
        scene.drop(NEW)
    book = scene.finish("elsewhere")
    wake.set()
    thread.join(30)
    assert end == ["TakenOver"]
    inbox = Inbox("devices", scene.bucket, worker.layout(scene.root), book, scene.folder / "elsewhere")
    assert worker.problems(book, inbox) == []
    assert book.delivered()[-1][1] == (NEW if overwritten else OLD)
