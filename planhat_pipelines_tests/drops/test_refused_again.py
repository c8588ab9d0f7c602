"""A row that Planhat refused is tried again when it is dropped again."""

from __future__ import annotations

from planhat_pipelines_tests.drops.dock import Dock, csv, next_second


def test_a_refused_row_that_is_dropped_again_unchanged_is_tried_again_and_its_rejection_closes(
    dock: Dock,
) -> None:
    dock.companies("c-1")
    rows = [("u1", "c-1", "a@x.io", "Ann"), ("u2", "c-1", "b@x.io", "Bo")]
    dock.drop("people.csv", csv("id,account,email,first", rows))
    dock.fault("partial", path="/endusers", keys=["u1"])
    first = dock.run(dock.people())
    assert (first.verdicts["created"], first.verdicts["refused"]) == (1, 1)
    assert [each.key for each in dock.ledger.rejections()] == ["u1"]

    dock.calm()
    next_second()
    dock.drop("people.csv", csv("id,account,email,first", rows))
    second = dock.run(dock.people())
    assert (second.verdicts["created"], second.verdicts["unchanged"]) == (1, 1)
    assert dock.records("enduser", "firstName") == {"u1": ("Ann",), "u2": ("Bo",)}
    assert dock.ledger.rejections() == []
