"""Drops by an assumed role, with all logs at DEBUG; and texts that a spreadsheet would run."""

from __future__ import annotations

import logging

import pytest

from planhat_pipelines_tests.drops.dock import Dock, csv, ndjson
from planhat_pipelines_tests.files.formats.help import inline, workbook

FORMULAS = ['=HYPERLINK("http://x","y")', "+1+1", "-2", "@SUM(A1)", "=1+1"]


def test_no_secret_of_planhat_or_of_an_assumed_role_is_logged_at_debug(
    dock: Dock, caplog: pytest.LogCaptureFixture
) -> None:
    dock.environment |= {
        "S3_ROLE_ARN": dock.environment["ROLE_TO_ASSUME"],
        "S3_EXTERNAL_ID": dock.environment["ROLE_EXTERNAL_ID"],
        "AWS_ENDPOINT_URL_STS": dock.environment["AWS_ENDPOINT_URL_S3"],
    }
    dock.companies("c-1")
    dock.drop("a.csv", csv("customer,at,minutes", [("c-1", "2026-11-01", 1), ("zebra", "2026-11-01", 2)]))
    caplog.set_level(logging.DEBUG)
    dock.run()
    source = dock.source()
    assert not source.changed(None)
    held = source.bucket.client._credentials
    assert held
    role = held.get_frozen_credentials()
    assert role.token
    secrets = [
        dock.environment[name] for name in ("PLANHAT_TOKEN", "PLANHAT_TENANT", "AWS_SECRET_ACCESS_KEY")
    ]
    assert [each for each in [*secrets, role.token, role.secret_key] if each in caplog.text] == []
    assert "zebra" not in caplog.text
    assert {"urllib3.connectionpool"} <= {record.name for record in caplog.records}


@pytest.mark.parametrize("kind", ["csv", "ndjson", "xlsx"])
def test_what_a_spreadsheet_would_run_arrives_as_the_text_it_is(dock: Dock, kind: str) -> None:
    dock.companies("c-1")
    people = [(f"u{at}", "c-1", f"u{at}@x.io", text) for at, text in enumerate(FORMULAS)]
    head = "id,account,email,first"
    quote = [(*row[:3], '"' + row[3].replace('"', '""') + '"') for row in people]
    drops: dict[str, str | bytes] = {
        "csv": csv(head, quote),
        "ndjson": ndjson(dict(zip(head.split(","), row, strict=True)) for row in people),
        "xlsx": workbook("".join(inline(at, *row) for at, row in enumerate([head.split(","), *people], 1))),
    }
    dock.drop(f"people.{kind}", drops[kind])
    dock.run(dock.people())
    assert dock.records("enduser", "firstName") == {f"u{at}": (text,) for at, text in enumerate(FORMULAS)}
