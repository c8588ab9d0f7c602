"""Files of every format become points, records and activities, once, with a verdict for every row."""

from __future__ import annotations

import gzip
import io
from typing import Any

import openpyxl
import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv, day, ends, metrics, ndjson, next_second

HEAD = "customer,at,device,minutes"
# The clock of Stockholm is two hours ahead of UTC before 26 October 2026, 03:00, and one hour after it.
LOGS = [
    ("c-1", "2026-10-23T21:59:59Z", "d1", 10),
    ("c-1", "2026-10-23T22:00:00Z", "d1", 5),
    ("c-1", "2026-10-24T08:00:00+02:00", "d1", 7),
    ("c-1", "2026-10-24 23:59:59", "d2", 1.5),
    ("c-1", "2026-10-25T22:59:59Z", "d1", 30),
    ("c-1", "2026-10-25T23:00:00Z", "d1", 40),
    ("c-2", "20261024", "d9", 2),
    ("c-2", "2026-10-24T12:00", "", 8),
    ("c-3", "2026-10-24", "d3", ""),
]
EVERY = metrics(
    ("total", "minutes", "sum"),
    ("rows", "device", "count"),
    ("devices", "device", "count_distinct"),
    ("least", "minutes", "min"),
    ("most", "minutes", "max"),
    ("usual", "minutes", "mean"),
    ("latest", "minutes", "last"),
    timezone="Europe/Stockholm",
)
D23, D24, D25, D26 = (day(f"2026-10-{each}") for each in (23, 24, 25, 26))


def book(head: str, rows: list[tuple[Any, ...]]) -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet
    for row in (head.split(","), *rows):
        sheet.append([None if cell == "" else cell for cell in row])
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def test_every_aggregate_is_of_a_day_in_the_named_time_zone(dock: Dock) -> None:
    dock.companies("c-1", "c-2", "c-3")
    dock.drop("log.csv", csv(HEAD, LOGS))
    report = dock.run(dock.facts(metrics=EVERY))
    expected = {
        ("c-1", D23): {"total": 10, "rows": 1, "devices": 1, "least": 10, "most": 10, "usual": 10, "latest": 10},
        ("c-1", D24): {"total": 13.5, "rows": 3, "devices": 2, "least": 1.5, "most": 7, "usual": 4.5, "latest": 1.5},
        ("c-1", D25): {"total": 30, "rows": 1, "devices": 1, "least": 30, "most": 30, "usual": 30, "latest": 30},
        ("c-1", D26): {"total": 40, "rows": 1, "devices": 1, "least": 40, "most": 40, "usual": 40, "latest": 40},
        ("c-2", D24): {"total": 10, "rows": 1, "devices": 1, "least": 2, "most": 8, "usual": 5, "latest": 8},
        ("c-3", D24): {"rows": 1, "devices": 1},
    }  # fmt: skip
    assert dock.points() == {
        (metric, customer, when, float(value)): 1
        for (customer, when), values in expected.items()
        for metric, value in values.items()
    }
    assert report.verdicts["submitted"] == len(LOGS)
    dock.settled()


@pytest.mark.parametrize("form", ["csv.gz", "xlsx", "json", "ndjson"])
def test_other_formats_bring_the_same_points_as_csv(dock: Dock, form: str) -> None:
    dock.companies("c-1", "c-2")
    rows = [("c-1", "2026-11-01", "d1", 10), ("c-1", "2026-11-01", "d2", 2.5), ("c-2", "2026-11-02", "d3", 1)]
    objects = [dict(zip(HEAD.split(","), row, strict=True)) for row in rows]
    as_array = "[" + ",".join(ndjson([each]) for each in objects) + "]"
    content = {
        "csv.gz": gzip.compress(csv(HEAD, rows).encode()),
        "xlsx": book(HEAD, rows),
        "json": as_array,
        "ndjson": ndjson(objects),
    }
    dock.drop(f"log.{form}", content[form])
    dock.run()
    first, second = day("2026-11-01"), day("2026-11-02")
    assert dock.points() == {("minutes", "c-1", first, 12.5): 1, ("minutes", "c-2", second, 1.0): 1}
    dock.settled()


def test_of_rows_with_one_key_the_last_wins_and_the_others_count_as_duplicates(dock: Dock) -> None:
    dock.companies("c-1")
    rows = [("u1", "c-1", "a@x.io", "Old"), ("u2", "c-1", "b@x.io", "Bo"), (" u1 ", "c-1", "a@x.io", "New")]
    dock.drop("people.csv", csv("id,account,email,first", rows))
    report = dock.run(dock.people())
    assert dock.records("enduser", "firstName", "email") == {"u1": ("New", "a@x.io"), "u2": ("Bo", "b@x.io")}
    assert (report.verdicts["created"], report.verdicts["duplicate"]) == (2, 1)
    dock.settled(dock.people())


def test_columns_of_any_name_go_through(dock: Dock) -> None:
    dock.companies("c-1")
    head = "id,account,email,first,last,at,key,row,reason,n,__last_name"
    dock.drop("people.csv", csv(head, [("u1", "c-1", "a@x.io", "Al", "Ek", 1, 2, 3, 4, 5, 6)]))
    facts = dock.people()
    facts["records"]["fields"].append({"column": "last", "field": "lastName"})
    dock.run(facts)
    assert dock.records("enduser", "firstName", "lastName") == {"u1": ("Al", "Ek")}


def test_rows_become_activities(dock: Dock) -> None:
    (company,) = dock.companies("c-1")
    dock.put("endusers", {"externalId": "u1", "companyId": company, "email": "a@x.io"})
    rows = [("u1", "2026-11-01T08:00:00Z", "opened"), ("u1", "", "lost"), ("u7", "2026-11-01", "waits")]
    dock.drop("events.csv", csv("user,at,what", rows))
    facts = dock.facts(
        activities={
            "enduser": {"column": "user", "id": "external"},
            "action": "what",
            "date": "at",
            "on_doubt": "hold",
        }
    )
    report = dock.run(facts)
    assert dock.activities() == {("u1", "opened"): 1}
    assert (report.verdicts["submitted"], report.verdicts["refused"], report.verdicts["parked"]) == (1, 1, 1)
    dock.settled(facts)


def test_the_audit_trail_says_what_became_of_each_file_and_where_it_lies(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop(
        "log.csv",
        csv(HEAD, [("c-1", "2026-11-01", "d", 1), ("c-1", "soon", "d", 1), ("c-7", "2026-11-01", "d", 1)]),
    )
    dock.run()
    (drop,) = dock.trail()
    assert (drop["state"], drop["tries"], drop["report"]) == ("done", 1, None)
    assert ends(drop) == {"submitted": 1, "refused": 1, "parked": 1}
    assert drop["archive"] in {dock.root + key for key in dock.keys("")}
    assert dock.content(drop["archive"]).decode().startswith(HEAD)
    assert dock.keys("in/") == []


def test_the_same_tick_again_does_nothing(dock: Dock) -> None:
    dock.companies("c-1")
    dock.drop("log.csv", csv(HEAD, [("c-1", "2026-11-01", "d", 1)]))
    dock.run()
    points, trail = dock.points(), dock.trail()
    assert not dock.source().changed(None)
    report = dock.run()
    assert (report.rows_read, report.requests) == (0, 0)
    assert (dock.points(), dock.trail()) == (points, trail)


def test_the_same_bytes_dropped_again_are_a_new_drop_that_changes_no_record_and_adds_points(
    dock: Dock,
) -> None:
    dock.companies("c-1")
    dock.drop("log.csv", csv(HEAD, [("c-1", "2026-11-01", "d", 1)]))
    dock.drop("who.jsonl", ndjson([{"id": "u1", "account": "c-1", "email": "a@x.io", "first": "Al"}]))
    syncs = [dock.facts(pattern="*.csv"), dock.people(pattern="*.jsonl")]
    for each in syncs:
        dock.run(each)
    next_second()
    dock.drop("log.csv", csv(HEAD, [("c-1", "2026-11-01", "d", 1)]))
    dock.drop("who.jsonl", ndjson([{"id": "u1", "account": "c-1", "email": "a@x.io", "first": "Al"}]))
    for each in syncs:
        dock.run(each)
    assert dock.points() == {("minutes", "c-1", day("2026-11-01"), 1.0): 2}
    assert [ends(each) for each in dock.trail("people")] == [{"created": 1}, {"unchanged": 1}]
    assert len(set(dock.keys("processed/"))) == 4
    dock.settled(*syncs)
