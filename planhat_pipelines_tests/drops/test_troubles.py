"""Files that cannot be read, rows that are refused, senders that overwrite, and an S3 that does not answer."""

from __future__ import annotations

import io
import stat
from csv import writer
from dataclasses import replace
from pathlib import Path

import pytest

from planhat_pipelines.engine.drops.book import entry_of, row_of
from planhat_pipelines.files import Permanent
from planhat_pipelines.ledger import SyncBusy
from planhat_pipelines.planhat.errors import SignInError
from planhat_pipelines_tests.drops.dock import Dock, csv, day, ends, ndjson, next_second, wait_for
from planhat_pipelines_tests.mortals import Mortals

WHEN = "2026-11-01"
HEAD = "customer,at,minutes"
WHO = "id,account,email,first"


def point(who: str, value: float) -> tuple[str, str, int, float]:
    return "minutes", who, day(WHEN), value


def test_unreadable_files_go_to_failed_with_a_report_and_the_next_one_goes_on(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", b"\x00\x01\x02 no table")
    dock.drop("b.csv", "c-1,ann@secret.io,5\nc-1,bob@secret.io,6\n")
    dock.drop("c.csv", csv("Customer,at,minute", [("c-1", WHEN, 1)]))
    dock.drop("d.csv", csv(HEAD, [("c-1", WHEN, 2)]))
    report = dock.run()
    assert dock.points() == {point("c-1", 2.0): 1}
    assert len(report.unreadable) == 3
    assert [bool(each["report"]) for each in dock.trail()] == [True, True, True, False]
    failed = dock.keys("failed/")
    assert [key.endswith(".error.json") for key in failed] == [False, True] * 3
    reports = [
        dock.content(f"{dock.root}failed/{key}").decode() for key in failed if key.endswith(".error.json")
    ]
    assert "no column customer, minutes among its 3, but Customer, minute." in reports[2]
    assert "secret" not in "".join([*reports, *dock.log, *report.unreadable])
    dock.settled()


def test_a_file_whose_import_dies_again_and_again_stops_blocking_the_others(
    dock: Dock, mortals: Mortals
) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-1", WHEN, 1)]))
    dock.drop("b.csv", csv(HEAD, [("c-1", WHEN, 2)]))
    for _ in range(5):
        assert mortals.run(dock.environment, dock.facts(), step="fetch") == "killed"
    report = dock.run()
    assert "begun 5 times" in report.unreadable[0]
    assert dock.points() == {point("c-1", 2.0): 1}
    dock.settled()


def test_a_planhat_that_lets_nobody_in_costs_no_file_its_place(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-1", WHEN, 1)]))
    token = dock.environment["PLANHAT_TOKEN"]
    dock.environment["PLANHAT_TOKEN"] = token[::-1]
    for _ in range(2):
        with pytest.raises(SignInError):
            dock.run()
    with dock.ledger.claim("devices", "many more") as claim:
        claim.write_drop(row_of(replace(entry_of(dock.trail()[0]), tries=99)), "fetched")
        claim.finish("failed", {}, dock.ledger.runs("devices", limit=2)[1].message)
    dock.environment["PLANHAT_TOKEN"] = token
    dock.run()
    assert dock.points() == {point("c-1", 1.0): 1}
    dock.settled()


def test_a_bucket_that_cannot_be_listed_is_an_error_and_no_empty_inbox(dock: Dock) -> None:
    facts = dock.facts(bucket="elsewhere")
    with pytest.raises(Permanent):
        dock.source(facts).changed(None)
    with pytest.raises(Permanent):
        dock.run(facts)
    assert dock.ledger.runs("devices")[0].state == "failed"


def test_refused_rows_come_back_in_the_same_columns_to_be_corrected_and_dropped_again(dock: Dock) -> None:
    dock.companies("c-1")
    rows = [
        *[("u1", "c-1", "a@x.io", "Al"), ("u2", "c-1", "b@x.io", '"B, ""o"""'), ("", "c-1", "c@x.io", "Cy")],
        *[("u4", "c-1", "d@x.io", "Di", "too", "wide"), ("u5", "c-1", "e@x.io", "Ed")],
    ]
    dock.drop("who.csv", csv(WHO, rows))
    dock.fault("partial", "/endusers", keys=["u2"], count=1)
    dock.run(dock.people())
    head, *refused = dock.rejected("who.csv")
    assert head == [*WHO.split(","), "row", "reason"]
    assert [row[:5] for row in refused] == [
        ["u2", "c-1", "b@x.io", 'B, "o"', "3"],
        ["", "c-1", "c@x.io", "Cy", "4"],
        ["u4", "c-1", "d@x.io", "Di", "5"],
    ]
    assert all(row[5] for row in refused)
    assert ends(dock.trail()[0]) == {"created": 2, "refused": 3}

    next_second()  # the person corrects one and leaves the two columns where they are
    text = io.StringIO()
    writer(text).writerows([head, *refused])
    dock.drop("corrected.csv", text.getvalue().replace("b@x.io", "bo@x.io"))
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {
        "u1": ("Al",),
        "u2": ('B, "o"',),
        "u4": ("Di",),
        "u5": ("Ed",),
    }
    assert not [each for each in dock.ledger.rejections("people") if each.key == "u2"]
    assert [row[:5] for row in dock.rejected("corrected.csv")] == [
        head[:5],
        ["", "c-1", "c@x.io", "Cy", "3"],
    ]
    dock.settled(dock.people())


def test_a_file_that_is_overwritten_before_it_was_read_is_imported_as_it_is_now(
    dock: Dock, mortals: Mortals
) -> None:
    dock.companies("c-1")
    dock.drop("who.csv", csv(WHO, [("u1", "c-1", "a@x.io", "Old")]))
    assert mortals.run(dock.environment, dock.people(), step="claim a drop") == "killed"
    next_second()
    dock.drop("who.csv", csv(WHO, [("u1", "c-1", "a@x.io", "New")]))
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {"u1": ("New",)}
    assert sorted(each["state"] for each in dock.trail()) == ["done", "superseded"]
    dock.settled(dock.people())


def test_rows_on_local_disk_are_for_the_owner_alone_and_go_when_they_are_not_needed(
    dock: Dock, mortals: Mortals
) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-1", WHEN, 1)]))
    assert mortals.run(dock.environment, dock.facts(), step="send points", when="before") == "killed"
    inside = [dock.spool / "devices", *(dock.spool / "devices").rglob("*")]
    assert any(path.suffix == ".parquet" for path in inside)
    for path in inside[:1] + [each for each in inside if each.is_dir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    dock.drop("b.csv", csv("nothing,fits", [(1, 2)]))
    dock.run()
    dock.settled()


def test_no_value_of_a_row_is_in_the_log_the_report_or_the_ledger(dock: Dock) -> None:
    dock.companies("c-1")
    rows = [
        {"id": "u1", "account": "c-1", "email": "zebra1@zebra.io", "first": "Zebra2"},
        {"id": "u2", "account": "c-1", "email": "zebra3", "first": "Zebra4"},
        {"id": "u3", "account": "c-9", "email": "zebra5@zebra.io", "first": "Zebra6"},
    ]
    dock.drop("who.ndjson", ndjson(rows))
    dock.fault("partial", "/endusers", keys=["u2"], count=1)
    report = dock.run(dock.people())
    assert (report.verdicts["refused"], report.verdicts["parked"]) == (1, 1)
    assert "zebra" not in (" ".join(dock.log) + repr(report)).lower()
    assert b"zebra" not in Path(dock.folder / "ledger.db").read_bytes().lower()


def test_a_second_run_of_a_living_sync_changes_nothing(dock: Dock, mortals: Mortals) -> None:
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-1", WHEN, 1)]))
    dock.fault("slow", method="POST", seconds=3, count=1)
    mortals.start(dock.environment, dock.facts())
    wait_for(lambda: dock.planhat.admin("GET", "faults")["rules"][0]["fired"])
    with pytest.raises(SyncBusy):
        dock.run()
    assert mortals.end() == "done"
    assert dock.points() == {point("c-1", 1.0): 1}
    dock.settled()
