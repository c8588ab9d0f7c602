"""The drops command shows which files came, what became of them and where they lie, from the ledger alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from planhat_pipelines.cli import main
from planhat_pipelines.ledger import Claim, Ledger

Show = Callable[..., str]
COUNTS = {"rows_read": 12, "submitted": 1_200, "refused": 3, "requests": 1}


def done(claim: Claim, number: int, archive: str | None, reason: str | None = None) -> None:
    facts = {
        "id": f"{number:064}",
        "bucket": "drops",
        "key": f"in/{number}.csv",
        "etag": "e",
        "modified": 1.0,
    }
    facts |= {"size": 1, "version": None, "tries": 1, "sha256": None, "archive": archive}
    facts |= {"report": {"reason": reason} if reason else None, "counts": {} if reason else COUNTS}
    claim.write_drop({**facts, "state": "claimed"}, None)
    claim.write_drop({**facts, "state": "done"}, "claimed")


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        with ledger.claim("devices", "run1") as claim:
            done(claim, 1, "processed/devices/1.csv")
            done(claim, 2, "failed/devices/2.csv", "the file is\nempty\x1b[31m")
            done(claim, 3, None)
        with ledger.claim("seats", "run2") as claim:
            row = {
                "id": "f" * 64,
                "bucket": "drops",
                "key": "in/4.csv",
                "etag": "e",
                "modified": 1.0,
                "size": 1,
            }
            claim.write_drop({**row, "version": None, "tries": 1, "state": "claimed"}, None)
    monkeypatch.setenv("PLANHAT_LEDGER_URL", url)

    def run(*words: str) -> str:
        assert main(["drops", *words]) == 0
        return capsys.readouterr().out

    return run


def test_each_file_is_a_line_with_its_place_its_rows_and_its_run(show: Show) -> None:
    lines = show().splitlines()
    assert lines[0].split() == ["when", "sync", "file", "state", "lies", "at", "rows", "run", "reason"]
    assert [line.split()[3] for line in lines[1:]] == ["in/4.csv", "in/3.csv", "in/2.csv", "in/1.csv"]
    assert lines[1].split()[2:] == ["seats", "in/4.csv", "claimed", "in/4.csv", "run2"]
    assert "processed/devices/1.csv  1,200 submitted, 3 refused  run1" in lines[4]


def test_a_file_that_could_not_be_read_says_why_and_cannot_command_the_terminal(show: Show) -> None:
    text = show()
    assert "failed/devices/2.csv" in text
    assert "the file is" in text
    assert "\x1b" not in text


def test_one_sync_and_a_limit_narrow_the_files(show: Show) -> None:
    lines = show("--sync", "devices", "--limit", "2").splitlines()
    assert len(lines) == 4
    assert lines[-1] == "... and more: --limit 20, or --csv for all"
    assert not any("seats" in line for line in lines)


def test_csv_holds_all_files_with_a_column_for_each_verdict(show: Show) -> None:
    rows = list(csv.DictReader(io.StringIO(show("--csv", "--limit", "1"))))
    assert len(rows) == 4
    first = rows[-1]
    assert (first["submitted"], first["refused"], first["created"]) == ("1200", "3", "0")
    assert [row["lies_at"] for row in rows] == [
        *["in/4.csv", "", "failed/devices/2.csv", "processed/devices/1.csv"]
    ]
    assert rows[2]["reason"].startswith("the file is\nempty")


def test_nothing_to_show_is_said_in_words(show: Show) -> None:
    assert show("--sync", "other") == "No file has come for other.\n"


def test_a_ledger_that_cannot_be_read_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PLANHAT_LEDGER_URL", f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    assert main(["drops"]) == 1
    assert capsys.readouterr().err
