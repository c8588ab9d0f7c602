"""The rejections command shows what did not go, why and since when, from the ledger alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from planhat_pipelines.cli import main
from planhat_pipelines.commands.table import columns
from planhat_pipelines.ledger import Ledger, NewParked, NewRejection

EMPTY = "is empty, so the row names no company"
Show = Callable[..., str]


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        with ledger.claim("seats", "run1") as claim:
            claim.reject([NewRejection(f"{row}", "map", EMPTY, "ACCOUNT_ID") for row in range(3)])
            claim.reject([NewRejection("9", "planhat", "invalid id", "", "c-9\x1b[31m")])
            claim.park([NewParked(f"1{row}", "company", "external", "c-7") for row in range(4)])
            claim.park([NewParked("20", "company", "external", "c-8")])
        with ledger.claim("events", "run1") as claim:
            claim.reject([NewRejection("5", "map", "is not a date", "AT")])
            claim.park(
                [NewParked("6", "company", "external", "c-8"), NewParked("7", "enduser", "source", "u-1")]
            )
    monkeypatch.setenv("PLANHAT_LEDGER_URL", url)

    def run(*words: str) -> str:
        assert main(["rejections", *words]) == 0
        return capsys.readouterr().out

    return run


def test_reasons_come_first_with_their_counts_then_the_rows(show: Show) -> None:
    lines = show().splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["rows", "3", "1", "1"]
    assert lines[1].split(maxsplit=3) == ["3", "seats", "ACCOUNT_ID", f"{EMPTY}  {'#' * 20}"]
    assert lines[2].endswith(f"  {'#' * 7}")
    assert lines[5].split() == ["sync", "row", "key", "stage", "field", "reason", "since", "times"]
    assert len(lines) == 6 + 5


def test_what_a_key_holds_cannot_command_the_terminal(show: Show) -> None:
    assert "\x1b" not in show()


def test_one_sync_and_a_limit_narrow_the_rows_but_not_the_counts(show: Show) -> None:
    lines = show("--sync", "seats", "--limit", "2").splitlines()
    assert lines[1].startswith("   3  seats")
    assert not any("events" in line for line in lines)
    assert lines[-1] == "... and 2 more: --limit 4, or --csv for all"


def test_parked_rows_are_ranked_by_the_record_they_miss(show: Show) -> None:
    lines = show("--parked").splitlines()
    assert lines[0].startswith("7 rows wait for 3 records")
    assert [line.split()[0] for line in lines[3:]] == ["4", "2", "1"]
    assert "company with the external id c-7" in lines[3]
    assert "events, seats" in lines[4]
    assert "enduser with the source id u-1" in lines[5]


@pytest.mark.parametrize(("words", "rows", "first"), [([], 5, "sync"), (["--parked"], 7, "sync")])
def test_csv_holds_all_rows_with_the_names_of_the_columns(
    show: Show, words: list[str], rows: int, first: str
) -> None:
    table = list(csv.reader(io.StringIO(show("--csv", "--limit", "1", *words))))
    assert len(table) == rows + 1
    assert table[0][0] == first
    assert {len(row) for row in table} == {len(table[0])}


def test_nothing_to_show_is_said_in_words(show: Show) -> None:
    assert show("--sync", "other") == "No row is refused in other.\n"
    assert show("--sync", "other", "--parked") == "No row waits in other.\n"


def test_a_ledger_that_cannot_be_read_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PLANHAT_LEDGER_URL", f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    assert main(["rejections"]) == 1
    assert capsys.readouterr().err


def test_columns_fit_the_width_by_cutting_the_widest() -> None:
    rows = [("a", 1_234, "x" * 200), ("bbbb", 5, "y" * 30)]
    lines = list(columns(["sync", "rows", "reason"], rows, width=40))
    assert max(map(len, lines)) == 40
    assert lines[1].startswith("a     1,234  xxx")
    assert lines[1].endswith("…")
    assert list(columns(["sync", "rows", "reason"], rows))[1].endswith("x" * 200)
