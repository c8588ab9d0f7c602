"""The conflicts command shows what was changed on both sides, what stayed, and the values to whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from planhat_pipelines.cli import main
from planhat_pipelines.ledger import Ledger, NewConflict

Show = Callable[..., list[str]]


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Show:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        with ledger.claim("accounts", "run1") as claim:
            claim.conflict(
                [
                    NewConflict("a", "city", "snowflake", "Lund", "Malmö\x1b[31m", "both sides changed it"),
                    NewConflict("b", "csmScore", "planhat", None, "5", "both sides changed it"),
                ]
            )
        with ledger.claim("contacts", "run1") as claim:
            claim.conflict([NewConflict("c", "phone", "planhat", "1", "2", "the sides differed")])
    monkeypatch.setenv("PLANHAT_LEDGER_URL", url)

    def run(*words: str) -> list[str]:
        assert main(["conflicts", *words]) == 0
        return capsys.readouterr().out.splitlines()

    return run


def test_values_are_masked_unless_asked_for(show: Show) -> None:
    masked = show("accounts")
    assert masked[0].split() == ["sync", "key", "field", "stays", "snowflake", "planhat", "when", "why"]
    assert {tuple(line.split()[1:4]) for line in masked[1:3]} == {
        ("a", "city", "snowflake"),
        ("b", "csmScore", "planhat"),
    }
    assert not any("Lund" in line or "Malmö" in line for line in masked)
    assert any("4 characters" in line for line in masked)
    assert any("empty" in line and "1 character " in line for line in masked)
    assert masked[-1] == "Both values of each are kept; --show-values prints them."
    shown = show("accounts", "--show-values")
    assert any("Lund" in line and "Malmö" in line for line in shown)
    assert "\x1b" not in "".join(shown)
    assert len(shown) == 3


def test_a_sync_and_a_limit_narrow_them(show: Show) -> None:
    assert [line.split()[0] for line in show("--limit", "3")[1:4]].count("contacts") == 1
    assert show("--limit", "1")[2] == "... and 2 more: --limit 3"
    assert show("projects") == ["No field was changed on both sides in projects."]


def test_help_says_what_a_conflict_asks_of_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["conflicts", "--help"])
    assert "write the\nright one on either side" in capsys.readouterr().out


def test_a_ledger_that_cannot_be_read_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PLANHAT_LEDGER_URL", f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    assert main(["conflicts"]) == 1
    assert capsys.readouterr().err
