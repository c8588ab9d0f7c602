"""Several syncs in one bucket, keys of every kind, and a history of many files."""

from __future__ import annotations

from typing import Any

from planhat_pipelines.engine.drops.source import DropsSource
from planhat_pipelines.files.formats import Limits
from planhat_pipelines_tests.drops.dock import Dock, csv, day, metrics, next_second
from planhat_pipelines_tests.mortals import Mortals

WHEN = "2026-11-01"
HEAD = "customer,at,minutes"
# A key with a line break is the one kind that the local S3 cannot hold.
ODD = [
    "with space.csv",
    "a+b%2B 100%.csv",
    "два/日本🦊.csv",
    "a&b=c?d#e'\".csv",
    "x" * 300 + ".csv",
    "no ending",
]


def test_syncs_of_one_folder_with_different_patterns_leave_each_others_files_alone(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop("devices-1.csv", csv(HEAD, [("c-1", WHEN, 1)]))
    dock.drop("seats-1.csv", csv(HEAD, [("c-1", WHEN, 2)]))
    dock.drop("notes.txt", "not for us")
    devices = dock.facts(pattern="devices-*.csv")
    seats = dock.facts(name="seats", pattern="seats-*.csv", metrics=metrics(("seats", "minutes", "sum")))
    dock.run(devices)
    assert dock.keys("in/") == ["notes.txt", "seats-1.csv"]
    dock.run(seats)
    assert dock.keys("in/") == ["notes.txt"]
    assert dock.points() == {
        ("minutes", "c-1", day(WHEN), 1.0): 1,
        ("seats", "c-1", day(WHEN), 2.0): 1,
    }
    dock.settled(devices, seats)


def test_files_with_odd_keys_are_imported_and_kept_under_names_of_their_own(dock: Dock) -> None:
    dock.companies("c-1")
    for number, name in enumerate(ODD):
        dock.drop(name, csv(HEAD, [("c-1", WHEN, number)]))
    too_large(dock, dock.facts())  # the way to failed/ is as long as that to processed/
    kept = {each["key"]: dock.content(each["archive"]) for each in dock.trail()}
    assert kept == {
        f"{dock.root}in/{name}": csv(HEAD, [("c-1", WHEN, number)]).encode()
        for number, name in enumerate(ODD)
    }
    assert len({each["archive"] for each in dock.trail()}) == len(ODD)
    dock.settled()


def test_a_history_of_files_is_imported_from_the_oldest_to_the_newest_and_a_kill_loses_no_place(
    dock: Dock, mortals: Mortals
) -> None:
    dock.companies("c-1")
    for name in ("z", "y"):
        dock.drop(f"{name}.csv", csv("id,account,email,first", [("u1", "c-1", "a@x.io", f"From {name}")]))
        next_second()
    names = [f"{number:03}.csv" for number in range(12)]
    for name in names:
        dock.drop(name, "")
    assert mortals.run(dock.environment, dock.people(), step="commit", nth=2) == "killed"
    assert dock.records("enduser", "firstName") == {"u1": ("From y",)}
    source = too_large(dock, dock.people())
    order = [each["key"].rpartition("/")[2] for each in dock.trail("people")]
    assert order == ["z.csv", "y.csv", *names]
    assert len(source.unreadable) == len(names)


def too_large(dock: Dock, facts: dict[str, Any]) -> DropsSource:
    """A source that has set aside every file, as each is too large for it."""
    source = dock.source(facts)
    source.limits = Limits(file_bytes=0)
    with dock.ledger.claim(facts["name"], "run") as claim:
        source.claimed(claim)
        assert source.next(None) is None
    return source
