"""What waits in an inbox, in which order it goes, and where it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from planhat_pipelines.files import Bucket, Entry, Inbox, Layout, NotThere, S3Account, S3Client, Superseded
from planhat_pipelines_tests.files import worker
from planhat_pipelines_tests.files.books import FileBook
from planhat_pipelines_tests.files.memory import MemoryClient, MemoryS3

NewInbox = Callable[..., Inbox]
IN = Layout("in/")


@pytest.fixture
def s3() -> MemoryS3:
    return MemoryS3()


@pytest.fixture
def inbox(s3: MemoryS3, tmp_path: Path) -> NewInbox:
    def make(layout: Layout = IN, sync: str = "devices") -> Inbox:
        bucket = Bucket(MemoryClient(s3, lambda: None), "drops")
        return Inbox(sync, bucket, layout, FileBook(tmp_path / f"{sync}.sqlite"), tmp_path / "spool" / sync)

    return make


def put(s3: MemoryS3, key: str, content: bytes = b"id\n1\n") -> None:
    s3.put_object("drops", key, content)


def keys(s3: MemoryS3, prefix: str) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2("drops", prefix)["Contents"]]


def import_all(inbox: Inbox) -> list[str]:
    done: list[str] = []
    while entry := inbox.next():
        entry, _ = inbox.fetch(entry)
        inbox.finish(inbox.imported(entry))
        done.append(entry.drop.key)
    return done


def test_older_drops_go_first_and_the_key_decides_within_a_second(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/z.csv")
    s3.wait(1)
    put(s3, "in/c.csv")
    put(s3, "in/b.csv")
    s3.wait(1)
    put(s3, "in/a.csv")
    s3.wait(60)
    assert import_all(inbox()) == ["in/z.csv", "in/b.csv", "in/c.csv", "in/a.csv"]


def test_a_backlog_is_listed_once_and_what_came_meanwhile_after_it(s3: MemoryS3, inbox: NewInbox) -> None:
    for number in range(20):
        put(s3, f"in/{number:02}.csv")
    s3.wait(60)
    box = inbox()
    assert box.next()
    put(s3, "in/00-late.csv")
    s3.wait(60)
    done = import_all(box)
    assert (len(done), done[-1]) == (21, "in/00-late.csv")
    assert s3.listings == 3, "the backlog, what came meanwhile, and then nothing"


def test_the_drop_under_way_comes_before_an_older_one_that_arrived_late(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    s3.wait(60)
    put(s3, "in/new.csv")
    s3.wait(60)
    first = inbox().next()
    assert first
    s3.wait(-100)
    put(s3, "in/old.csv")
    s3.wait(100)
    again = inbox().next()
    assert again
    assert (again.drop, again.tries) == (first.drop, 2)


def test_a_young_drop_waits_until_it_has_settled_by_the_clock_of_the_store(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    put(s3, "in/a.csv")
    s3.wait(29)
    assert str(inbox().waiting()) == "1 too young"
    s3.wait(1)
    assert str(inbox().waiting()) == "1 to import"


def test_a_drop_waits_for_a_marker_that_is_not_older_and_takes_it_along(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    layout = Layout("in/", settle_seconds=0, done_marker=".done")
    put(s3, "in/a.csv.done")
    s3.wait(5)
    put(s3, "in/a.csv")
    assert str(inbox(layout).waiting()) == "1 without marker"
    s3.wait(5)
    put(s3, "in/a.csv.done")
    assert import_all(inbox(layout)) == ["in/a.csv"]
    assert keys(s3, "in/") == []


def test_the_marker_of_a_drop_that_was_written_over_stays(s3: MemoryS3, inbox: NewInbox) -> None:
    box = inbox(Layout("in/", settle_seconds=0, done_marker=".done"))
    put(s3, "in/a.csv")
    put(s3, "in/a.csv.done")
    entry = box.next()
    assert entry
    entry, _ = box.fetch(entry)
    s3.wait(5)
    put(s3, "in/a.csv", b"new")
    put(s3, "in/a.csv.done")
    box.finish(box.imported(entry))
    assert import_all(box) == ["in/a.csv"]


def test_syncs_share_a_bucket_and_leave_each_others_files_alone(s3: MemoryS3, inbox: NewInbox) -> None:
    for key in (
        "in/devices-1.csv",
        "in/x/devices-2.csv",
        "in/seats-1.csv",
        "in/.devices-3.csv",
        "in/devices-4.csv.tmp",
    ):
        put(s3, key)
    s3.wait(60)
    assert import_all(inbox(Layout("in/", "**/devices-*.csv"))) == ["in/devices-1.csv", "in/x/devices-2.csv"]
    assert import_all(inbox(Layout("in/", "seats-*.csv"), sync="seats")) == ["in/seats-1.csv"]
    assert keys(s3, "in/") == ["in/.devices-3.csv", "in/devices-4.csv.tmp"]
    assert [key.split("/")[1] for key in keys(s3, "processed/")] == ["devices", "devices", "seats"]


def test_the_same_content_dropped_again_later_is_a_new_drop(s3: MemoryS3, inbox: NewInbox) -> None:
    for _ in range(2):
        put(s3, "in/a.csv")
        s3.wait(60)
        assert import_all(inbox()) == ["in/a.csv"]
    assert len(keys(s3, "processed/")) == 2


def test_a_drop_that_comes_back_unchanged_is_shown_and_not_imported_again(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    put(s3, "in/a.csv")
    kept = s3.objects["in/a.csv"]
    s3.wait(60)
    import_all(inbox())
    s3.objects["in/a.csv"] = kept
    assert str(inbox().waiting()) == "1 imported before"
    assert inbox().next() is None


def test_a_drop_overwritten_before_it_was_read_gives_way_to_the_new_one(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    put(s3, "in/a\n.csv", b"old")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    put(s3, "in/a\n.csv", b"new")
    s3.wait(60)
    with pytest.raises(Superseded, match=r"'in/a\\n\.csv' of sync devices was overwritten"):
        box.fetch(entry)
    assert import_all(box) == ["in/a\n.csv"]
    assert [s3.current(key).content for key in keys(s3, "processed/")] == [b"new"]  # type: ignore[union-attr]


def test_the_archive_is_named_by_day_name_and_identity(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/x/devices.csv.gz")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    import_all(box)
    assert keys(s3, "processed/") == [f"processed/devices/2026/11/22/devices.{entry.drop.id[:12]}.csv.gz"]


def test_an_unreadable_drop_goes_to_failed_with_a_report_beside_it(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/a.csv", b"\x00")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    entry, _ = box.fetch(entry)
    done = box.finish(box.reject(entry, {"reason": "not a CSV file", "line": 1}))
    data, report = keys(s3, "failed/")
    assert done.archive == data
    told = json.loads(s3.current(report).content)  # type: ignore[union-attr]
    assert told["reason"] == "not a CSV file"
    assert (told["sync"], told["line"], told["file"]["key"]) == ("devices", 1, "in/a.csv")
    assert keys(s3, "in/") == []


def test_a_drop_can_be_rejected_without_being_read(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/a.csv", b"too large")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    box.finish(box.reject(entry, {"reason": "larger than 1 GB"}))
    assert len(keys(s3, "failed/")) == 2


def test_refused_rows_are_one_csv_file_ready_to_be_dropped_again(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/a.xlsx")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    frames = [
        pl.DataFrame({"id": ["001", "a,b"], "row": [2, 3], "reason": ["no such customer", 'said "no"']}),
        pl.DataFrame({"id": ["é"], "row": [9], "reason": ["no date"]}),
    ]
    key = box.put_refused_rows(entry, frames)
    assert box.put_refused_rows(entry, frames) == key, "a repeat writes the same file"
    assert keys(s3, "rejected/") == [key]
    assert key.endswith(f"/a.{entry.drop.id[:12]}.csv")
    read = pl.read_csv(s3.current(key).content, infer_schema=False)  # type: ignore[union-attr]
    assert read.columns == ["id", "row", "reason"]
    assert read["id"].to_list() == ["001", "a,b", "é"]
    assert box.waiting().drops == (entry.drop,)


def test_finishing_twice_is_finishing_once(s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/a.csv")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    entry, _ = box.fetch(entry)
    box.imported(entry)
    assert inbox().next() is None, "the next worker finishes it first"
    assert [len(keys(s3, place)) for place in ("in/", "processed/")] == [0, 1]


@pytest.mark.parametrize(
    ("state", "to"), [("claimed", "imported"), ("imported", "rejected"), ("done", "claimed")]
)
def test_a_drop_takes_no_step_that_does_not_exist(state: str, to: str, s3: MemoryS3, inbox: NewInbox) -> None:
    put(s3, "in/a.csv")
    s3.wait(60)
    entry = inbox().next()
    assert entry
    with pytest.raises(ValueError, match="can't become"):
        Entry(entry.drop, state).moved(to)  # type: ignore[arg-type]


def test_bytes_that_were_damaged_on_disk_are_read_again_and_never_archived(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    put(s3, "in/a.csv", b"good")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    entry, path = box.fetch(entry)
    path.write_bytes(b"bad")
    entry, path = box.fetch(entry)
    assert path.read_bytes() == b"good"
    entry = box.imported(entry)
    path.write_bytes(b"bad")
    put(s3, "in/a.csv", b"new")
    assert box.finish(entry).archive is None


def test_a_drop_on_disk_is_not_read_again_even_when_it_was_written_over(
    s3: MemoryS3, inbox: NewInbox
) -> None:
    put(s3, "in/a.csv", b"old")
    s3.wait(60)
    box = inbox()
    entry = box.next()
    assert entry
    box.fetch(entry)
    put(s3, "in/a.csv", b"new")
    box = inbox()
    again = box.next()
    assert again
    _, path = box.fetch(again)
    assert path.read_bytes() == b"old"


def test_a_store_that_ignores_conditions_gets_the_bytes_that_were_read(
    own_key: S3Account, root: str, tmp_path: Path
) -> None:
    """moto copies whatever lies there, so what was read is written instead."""
    bucket = Bucket(S3Client(own_key), "drops")
    box = Inbox("devices", bucket, worker.layout(root), FileBook(tmp_path / "book"), tmp_path / "spool")
    bucket.put(f"{root}in/a.csv", b"old")
    entry = box.next()
    assert entry
    entry, _ = box.fetch(entry)
    bucket.put(f"{root}in/a.csv", b"new")
    done = box.finish(box.imported(entry))
    assert done.archive
    assert bucket.read(done.archive) == b"old"
    assert import_all(box) == [f"{root}in/a.csv"]
    with pytest.raises(NotThere):
        bucket.look(f"{root}in/a.csv")
