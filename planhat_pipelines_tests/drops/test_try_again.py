"""Refused rows of drops are read again from the archive, to be looked at or to be tried again."""

from __future__ import annotations

import polars as pl

from planhat_pipelines.engine.again import try_again
from planhat_pipelines.engine.export import refused_rows
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines_tests.drops.dock import Dock, csv, metrics


def test_refused_rows_of_drops_are_exported_from_the_archive_and_sent_once_they_are_tried_again(
    dock: Dock,
) -> None:
    dock.companies("c-1")
    rows = [("u1", "c-1", "a@x.io", "Ann"), ("u2", "c-1", "b@x.io", "Bo"), ("u3", "", "c@x.io", "Cy")]
    dock.drop("people.csv", csv("id,account,email,first", rows))
    dock.fault("partial", path="/endusers", keys=["u1"])
    assert dock.run(dock.people()).verdicts["refused"] == 2
    dock.calm()

    spec = FilesSpec.model_validate(dock.people())
    found = pl.concat(refused_rows(spec, dock.environment, dock.ledger)).sort("id")
    assert found.columns == [
        "row",
        "id",
        "account",
        "email",
        "first",
        "field",
        "reason",
        "refused_since",
        "times",
    ]
    assert found["first"].to_list() == ["Ann", "Cy"]
    assert found["reason"].to_list()[1] == "is empty, and an End User needs a company"

    assert try_again(dock.ledger, "people") == 2
    second = dock.run(dock.people())
    assert (second.verdicts["created"], second.verdicts["refused"]) == (1, 1)
    assert dock.records("enduser", "firstName") == {"u1": ("Ann",), "u2": ("Bo",)}
    assert [each.field for each in dock.ledger.rejections()] == ["account"]
    assert dock.ledger.parked() == []
    assert dock.run(dock.people()).rows_read == 0
    dock.settled(dock.people())


def test_a_refused_line_of_metrics_adds_its_point_once_when_the_mapping_takes_it_and_stays_refused_before(
    dock: Dock,
) -> None:
    dock.companies("c-1")
    lines = [("c-1", "2026-01-01", "5"), ("c-1", "2026-01-01", "many"), ("late", "2026-01-01", "1")]
    dock.drop("use.csv", csv("customer,at,minutes", lines))
    assert dock.run().verdicts["refused"] == 1
    try_again(dock.ledger, "devices")
    assert dock.run().verdicts["refused"] == 1
    assert [each.times for each in dock.ledger.rejections()] == [2]

    counted = dock.facts(metrics=metrics(("minutes", "minutes", "count")))
    try_again(dock.ledger, "devices")
    assert dock.run(counted).verdicts["submitted"] == 1
    assert sorted(value for *_, value in dock.points().elements()) == [1.0, 5.0]
    assert dock.ledger.rejections() == []
    assert {each.target for each in dock.ledger.parked()} == {"late"}
    dock.settled()
