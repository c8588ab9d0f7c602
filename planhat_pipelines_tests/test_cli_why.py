"""The why command tells what writes a field and what happened to its row last, and shows no value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from planhat_pipelines.cli import main
from planhat_pipelines.ledger import Claim, Ledger, NewConflict, NewParked, NewRejection
from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm
from planhat_pipelines_tests.spec.files import write
from planhat_pipelines_tests.test_cli_lineage import ACCOUNTS

PEOPLE_BY_ADDRESS = """
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: people_by_address
  table: CRM.PUBLIC.PEOPLE
  model: enduser
  key: {column: EMAIL, field: email}
  company: {column: ACCOUNT_ID, id: external}
  every: 1h
  fields:
    - {column: NAME, field: firstName}
"""
SECRET = "Nobody may see this"
Ask = Callable[..., str]


def send(claim: Claim, purpose: str, *rows: str, settled: bool = True) -> None:
    """A batch with these rows, answered or not."""
    batch = claim.intend(
        window=None,
        body_hash="".join(rows),
        purpose=purpose,
        items=len(rows),
        rows=pl.Series(rows),
        points=None,
        dimensions=(),
        first_day=None,
        last_day=None,
    )
    if settled:
        claim.settle(batch.id, {"created": 1, "updated": len(rows) - 1, "unchanged": 0})


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("PLANHAT_LEDGER_URL", url)
    return Ledger.open(url)


@pytest.fixture
def ask(tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Ask:
    write(tmp_path / "defs" / "all", f"{ACCOUNTS}---{PEOPLE_BY_ADDRESS}")

    def run(*words: str, code: int = 0) -> str:
        ledger.close()
        assert main(["why", *words, "--defs", str(tmp_path / "defs")]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def test_it_tells_column_expression_row_and_the_run_that_sent_the_record_last(
    ask: Ask, ledger: Ledger
) -> None:
    with ledger.claim("accounts", "run-one") as claim:
        send(claim, "push", "acme", "other", "third")
    with ledger.claim("accounts", "run-two") as claim:
        send(claim, "push", "acme", "bricks")
        send(claim, "push", "bricks", "acme-2")
    said = ask("company", "acme", "custom.Place")
    assert (
        "CRM.PUBLIC.ACCOUNTS COUNTRY, CITY -> custom.Place (as the custom field: upper(COUNTRY) || CITY)"
        in said
    )
    assert "the one whose key (externalId) is acme" in said
    assert "by run run-two, with 1 other: 1 created, 1 updated" in said
    assert "run-one" not in said
    assert (
        "SELECT COUNTRY, CITY FROM CRM.PUBLIC.ACCOUNTS WHERE TRIM(TO_VARCHAR(ACCOUNT_ID)) = 'acme';" in said
    )
    assert "1h · team:revenue-operations" in said


def test_of_several_syncs_the_one_that_sent_last_comes_first_and_is_named(ask: Ask, ledger: Ledger) -> None:
    with ledger.claim("accounts", "run-one") as claim:
        send(claim, "push", "acme")
    with ledger.claim("old_accounts", "run-two") as claim:
        send(claim, "records", "acme", settled=False)
    said = ask("company", "acme", "name")
    assert said.index("old_accounts  30m") < said.index("accounts  1h")
    assert "by run run-two, alone; no answer yet" in said
    assert said.endswith("old_accounts sent it last, so its value counts.\n")


def test_what_is_open_of_the_record_is_told_without_a_value(ask: Ask, ledger: Ledger) -> None:
    with ledger.claim("accounts", "run-one") as claim:
        claim.reject([NewRejection("acme", "map", "is no number", "custom.ARR", "acme")])
        claim.park([NewParked("acme", "company", "external", "c-9")])
        claim.conflict(
            [
                NewConflict("acme", "custom.ARR", "planhat", SECRET, "5", "newest: Planhat was edited later"),
                NewConflict("acme", "name", "planhat", SECRET, "x", "not this field"),
            ]
        )
        send(claim, "write_back", "acme")
    said = ask("company", "acme", "custom.ARR")
    assert "refused     custom.ARR: is no number (since 20" in said
    assert "parked      one row since" in said
    assert "no company has the external id c-9" in said
    assert "planhat stayed" in said
    assert "newest: Planhat was edited later" in said
    assert "not this field" not in said
    assert "sent        never, as far as the ledger knows" in said
    assert "came back   20" in said
    assert SECRET not in said


def test_a_metric_names_the_rows_it_is_made_of_and_those_that_wait(ask: Ask, ledger: Ledger) -> None:
    with ledger.claim("seats", "run-one") as claim:
        claim.park([NewParked(f"{row}", "company", "external", "acme") for row in range(3)])
    said = ask("company", "acme", "active_seats")
    assert "CRM.PUBLIC.ACCOUNTS SEATS -> active_seats (number)" in said
    assert "all whose account_id is acme" in said
    assert "parked      3 rows since" in said


def test_a_day_of_a_metric_names_the_runs_that_sent_points_of_it_and_the_statement_that_shows_its_rows(
    ask: Ask, ledger: Ledger
) -> None:
    runs = (("run-one", 20_454, 20_455), ("run-two", 20_455, 20_455), ("run-three", 20_460, 20_461))
    for run, first, last in runs:
        with ledger.claim("seats", run) as claim:
            batch = claim.intend(
                window=None,
                body_hash=run,
                purpose="metrics",
                items=3,
                rows=pl.Series(["1", "2", "3"]),
                points=np.array([1, 2, 3], np.uint64),
                dimensions=("active_seats",),
                first_day=first,
                last_day=last,
            )
            claim.settle(batch.id, {"submitted": 3})
    said = ask("company", "acme", "active_seats", "--day", "2026-01-02")
    assert "points of 2026-01-02 for all targets, 20" in said
    assert said.index("by run run-two, with 2 others: 3 submitted") < said.index("run run-one")
    assert "points of 2026-01-01 to 2026-01-02" in said
    assert "run-three" not in said.partition("last run")[0]
    assert "WHERE TRIM(TO_VARCHAR(account_id)) = 'acme' AND TO_DATE(" in said
    assert "= '2026-01-02' ORDER BY " in said
    assert "no points of it" in ask("company", "acme", "active_seats", "--day", "2025-01-02")


def test_somebody_known_by_an_address_is_found_by_it_and_shown_masked(ask: Ask, ledger: Ledger) -> None:
    with ledger.claim("people_by_address", "run-one") as claim:
        send(claim, "records", hidden("ann@example.com"), hidden("ben@example.com"))
    said = ask("enduser", "ann@example.com", "firstName")
    assert "by run run-one, with 1 other" in said
    assert "a…@example.com" in said
    assert "ann@" not in said


def test_a_field_that_nobody_maps_names_those_that_are_mapped(ask: Ask) -> None:
    said = ask("company", "acme", "nmae", code=1)
    assert "No sync maps nmae of company. Mapped are: externalId, name, custom.ARR" in said
    assert ask("churn", "acme", "x", code=1) == "No sync has to do with churn.\n"


def test_a_key_cannot_command_the_terminal_nor_the_query(ask: Ask) -> None:
    said = ask("company", "it's\x1b[31m", "custom.ARR")
    assert "\x1b" not in said
    assert "= 'it''s" in said


@pytest.mark.parametrize("row", ["acme", "no\nsuch line", "åäö"])
def test_the_ledger_finds_the_newest_batch_of_each_purpose_whatever_the_key(ledger: Ledger, row: str) -> None:
    with ledger, ledger.claim("accounts", "run-one") as claim:
        send(claim, "push", row, "line\nbreak")
        send(claim, "write_back", row)
        send(claim, "push", f"{row}-longer", f"not {row}")
        found = ledger.last_batches("accounts", row)
        assert {purpose: each.items for purpose, each in found.items()} == {"push": 2, "write_back": 1}
        assert ledger.last_batches("accounts", "nobody") == {}


def test_a_real_run_is_told_as_it_was(place: Place) -> None:
    crm = Crm(place)
    crm.accounts(("a", "Acme", "Lund"), ("b", "Bricks", "Lund"))
    crm.run()
    batch = crm.ledger.last_batches("accounts", "a")["records"]
    assert (batch.items, batch.counts["created"], batch.run) == (2, 2, crm.ledger.runs("accounts")[0].id)
