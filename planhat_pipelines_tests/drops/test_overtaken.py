"""A later drop makes earlier ones void: older values that wait, rejections that it answers, days it adds points to."""

from __future__ import annotations

from planhat_pipelines.orchestration.show import run_metadata
from planhat_pipelines_tests.drops.dock import Dock, csv, day, metrics, next_second
from planhat_pipelines_tests.markdown import rows as rows_of

WHO = "id,account,email,first"
HEAD = "customer,at,minutes"


def drop(dock: Dock, name: str, *rows: tuple[str, str, str]) -> None:
    """A file of contacts: id, account, first name."""
    dock.drop(name, csv(WHO, [(who, account, f"{who}@x.io", first) for who, account, first in rows]))


def test_values_that_waited_do_not_overwrite_newer_ones_and_end_as_duplicates(dock: Dock) -> None:
    dock.companies("c-1")
    drop(dock, "a.csv", ("u1", "c-9", "Old"), ("u2", "c-9", "Bo"), ("u3", "c-9", "Old"))
    next_second()
    drop(dock, "b.csv", ("u1", "c-1", "New"), ("u3", "", "New"))
    report = dock.run(dock.people())
    assert (report.verdicts["parked"], report.verdicts["duplicate"], report.verdicts["refused"]) == (3, 1, 1)
    assert any("1 rows that waited are not sent" in line for line in dock.log)
    assert sorted(each.key or "" for each in dock.ledger.parked("people")) == ["u2", "u3"]
    dock.companies("c-9")
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {"u1": ("New",), "u2": ("Bo",), "u3": ("Old",)}
    dock.settled(dock.people())


def test_values_that_planhat_has_already_are_newer_than_those_that_wait(dock: Dock) -> None:
    dock.companies("c-1")
    for name, account, first in (("a", "c-1", "Same"), ("b", "c-9", "Between"), ("c", "c-1", "Same")):
        drop(dock, f"{name}.csv", ("u1", account, first))
        next_second()
    report = dock.run(dock.people())
    assert (report.verdicts["unchanged"], report.verdicts["duplicate"]) == (1, 1)
    dock.companies("c-9")
    assert dock.run(dock.people()).rows_read == 0
    assert dock.records("enduser", "firstName") == {"u1": ("Same",)}


def test_of_two_rows_that_wait_the_later_one_wins_whichever_company_comes_first(dock: Dock) -> None:
    dock.companies("c-1")
    drop(dock, "a.csv", ("u1", "c-8", "Old"))
    next_second()
    drop(dock, "b.csv", ("u1", "c-9", "New"))
    dock.run(dock.people())
    dock.companies("c-9")
    report = dock.run(dock.people())
    assert (report.verdicts["created"], report.verdicts["duplicate"]) == (1, 1)
    dock.companies("c-8")
    assert dock.run(dock.people()).rows_read == 0
    assert dock.records("enduser", "firstName") == {"u1": ("New",)}
    dock.settled(dock.people())


def test_a_correction_in_the_same_run_closes_the_rejection_of_its_row_alone(dock: Dock) -> None:
    dock.companies("c-1")
    drop(dock, "a.csv", ("u1", "", "Ann"), ("u2", "", "Bo"))
    next_second()
    drop(dock, "b.csv", ("u1", "c-1", "Ann"))
    assert dock.run(dock.people()).verdicts["refused"] == 2
    assert [each.key for each in dock.ledger.rejections("people")] == ["u2"]


def test_rows_of_the_wrong_width_close_when_their_corrected_file_comes_by_either_way(dock: Dock) -> None:
    dock.companies("c-1")
    good, wide = ("c-1", "2026-11-01", 1), ("c-1", "2026-11-01", 2, "too wide")
    dock.drop("a.csv", csv(HEAD, [good, wide]))
    dock.drop("b.csv", csv(HEAD, [good, wide, ("c-1", "never", 3)]))
    dock.run()
    assert len(dock.ledger.rejections("devices")) == 3
    next_second()
    dock.drop("a.csv", csv(HEAD, [wide[:3]]))
    (key,) = (key for key in dock.keys("rejected/") if key.rpartition("/")[2].startswith("b."))
    text = dock.content(f"{dock.root}rejected/{key}").decode()
    dock.drop(key.rpartition("/")[2], text.replace("never", "nowhere"))
    dock.run()
    (left,) = dock.ledger.rejections("devices")
    assert (left.field, left.reason) == ("at", "is not a date")
    assert left.row.startswith(dock.trail()[-1]["id"][:12])
    assert dock.points()["minutes", "c-1", day("2026-11-01"), 2.0] == 2
    dock.settled()


def test_a_day_that_gets_a_second_point_that_does_not_add_up_is_told_and_a_sum_is_not(dock: Dock) -> None:
    dock.companies("c-1", "c-2")
    facts = dock.facts(metrics=metrics(("most", "minutes", "max"), ("minutes", "minutes", "sum")))
    dock.drop(
        "a.csv", csv(HEAD, [("c-1", "2026-11-01", 1), ("c-1", "2026-11-02", 1), ("c-9", "2026-11-03", 1)])
    )
    assert dock.run(facts).warnings == []
    next_second()
    dock.drop(
        "b.csv", csv(HEAD, [("c-1", "2026-11-02", 2), ("c-2", "2026-11-01", 2), ("c-1", "2026-11-04", 2)])
    )
    report = dock.run(facts)
    (warning,) = report.warnings
    assert rows_of(run_metadata(report, [])["warnings"].value) == [{"what": warning}]
    assert warning.startswith("most (max): 1 points of 2026-11-01 to 2026-11-04 come on top")
    assert any(warning in line for line in dock.log)
    dock.companies("c-9")
    assert dock.run(facts).warnings == []
    next_second()
    dock.drop("c.csv", csv(HEAD, [("c-9", "2026-11-03", 3)]))
    assert len(dock.run(facts).warnings) == 1


def test_rows_known_by_their_address_are_overtaken_too_and_the_ledger_holds_no_address(dock: Dock) -> None:
    dock.companies("c-1")
    records = dock.people()["records"] | {"key": {"column": "email", "field": "email"}}
    records["fields"] = [{"column": "first", "field": "firstName"}, {"column": "id", "field": "externalId"}]
    facts = dock.people(records=records)
    drop(dock, "a.csv", ("u1", "c-9", "Old"), ("u2", "", "Bo"))
    next_second()
    drop(dock, "b.csv", ("u1", "c-1", "New"), ("u2", "c-1", "Bo"))
    report = dock.run(facts)
    assert (report.verdicts["duplicate"], report.verdicts["created"]) == (1, 2)
    assert dock.ledger.parked("people") == dock.ledger.rejections("people") == []
    assert b"@x.io" not in (dock.folder / "ledger.db").read_bytes()
