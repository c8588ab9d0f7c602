"""Refused rows are exported as they are at their source, and tried again on demand, each through to the other side."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from planhat_pipelines.cli import main
from planhat_pipelines.engine.due import due
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm, of
from planhat_pipelines_tests.spec.files import write

Command = Callable[..., Any]
KINDS = {"incrementing_key": "SnowflakeUsage", "model": "SnowflakeRecords"}


@pytest.fixture
def defs(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Write a sync down where the command finds it."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)

    def declare(facts: dict[str, Any]) -> None:
        kind = next(kind for key, kind in KINDS.items() if key in facts)
        text = yaml.safe_dump({"type": f"planhat_pipelines.{kind}", "attributes": facts})
        write(tmp_path / "defs" / facts["name"], text)

    return declare


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str, code: int = 0) -> str:
        assert main(["rejections", *words, "--defs", str(tmp_path / "defs")]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def nothing_new(_: Any) -> bool:
    return False


def test_refused_records_are_written_with_their_columns_field_and_reason_as_they_are_now(
    place: Place, defs: Command, command: Command, tmp_path: Path
) -> None:
    crm = Crm(place)
    crm.custom("Level", "number")
    crm.accounts(("a", "Acme", "Lund", "high"), ("b", "Bo", "Oslo", "5"), ("c", "Cy, Inc", "Rome", "low"))
    fields = [*crm.facts()["fields"], {"column": "NOTE", "field": "custom.Level"}]
    facts = crm.facts(fields=fields)
    defs(facts)
    assert of(crm.run(crm.spec(fields=fields))) == {"created": 1, "refused": 2}
    crm.sql("UPDATE {table} SET CITY = 'Roma' WHERE ID = 'c'")
    crm.sql("DELETE FROM {table} WHERE ID = 'a'")
    file = tmp_path / "refused.csv"
    command("export", "accounts", "--out", str(file))
    (row,) = table(file.read_text(encoding="utf-8"))
    since = row.pop("refused_since")
    assert since.startswith("20")
    assert row == {
        "ID": "c",
        "NAME": "Cy, Inc",
        "CITY": "Roma",
        "NOTE": "low",
        "field": "custom.Level",
        "reason": "is no number",
        "times": "1",
    }
    assert file.stat().st_mode & 0o077 == 0


def test_a_record_that_planhat_refused_is_sent_by_the_next_run_after_retry_though_it_did_not_change(
    place: Place, defs: Command, command: Command
) -> None:
    crm = Crm(place)
    crm.accounts(("a", "Acme"), ("b", "Bo"))
    defs(crm.facts())
    crm.fault("partial", keys=["a"])
    assert of(crm.run()) == {"created": 1, "refused": 1}
    place.calm()
    assert of(crm.run()) == {}
    assert not due("accounts", {"the source": nothing_new}, place.ledger).run
    assert command("retry", "accounts") == "The next run of accounts tries its refused rows again: 1\n"
    found = due("accounts", {"the source": nothing_new}, place.ledger)
    assert (found.run, found.why) == (True, "refused rows are to be tried again, as asked: 1")
    assert "the next run, as asked" in main_out(command)
    assert of(crm.run()) == {"created": 1}
    assert crm.names() == {"a": "Acme", "b": "Bo"}
    assert (place.ledger.rejections(), place.ledger.parked()) == ([], [])


def main_out(command: Command) -> str:
    """What waits, as people see it."""
    import contextlib

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["rejections", "--parked"]) == 0
    return out.getvalue()


def test_what_is_refused_again_stays_refused_and_what_is_gone_is_let_go_without_a_word(
    place: Place, defs: Command, command: Command
) -> None:
    crm = Crm(place)
    crm.accounts(("a", "Acme"), ("b", "Bo"), ("c", "Cy"))
    defs(crm.facts())
    crm.fault("partial", keys=["a", "b"])
    assert of(crm.run()) == {"created": 1, "refused": 2}
    crm.sql("DELETE FROM {table} WHERE ID = 'b'")
    command("retry", "accounts")
    report = crm.run()
    assert report.verdicts["refused"] == 1
    assert [(each.row, each.times) for each in place.ledger.rejections()] == [("a", 2)]
    assert place.ledger.parked() == []
    assert not due("accounts", {"the source": nothing_new}, place.ledger).run


def test_usage_rows_are_exported_and_tried_again_each_point_once(
    place: Place, defs: Command, command: Command
) -> None:
    place.companies("c-1")
    place.seats([(1, "c-1", "2026-01-01", 5), (2, None, "2026-01-02", 6), (3, "late", "2026-01-02", 7)])
    defs(place.facts())
    assert of(place.run()) == {"submitted": 1, "refused": 1, "parked": 1}
    (row,) = table(command("export", "seats"))
    assert (row["ROW_ID"], row["ACCOUNT_ID"], row["SEATS"]) == ("2", "", "6.0")
    place.sql("UPDATE {table} SET ACCOUNT_ID = 'c-1' WHERE ROW_ID = 2")
    command("retry", "seats")
    assert of(place.run()) == {"submitted": 1}
    assert sorted(value for *_, value in place.points().elements()) == [5.0, 6.0]
    assert [each.target for each in place.ledger.parked()] == ["late"]
    assert place.ledger.rejections() == []
    assert table(command("export", "seats")) == []


def test_what_cannot_be_done_is_said_with_what_to_do_instead(
    place: Place, defs: Command, command: Command
) -> None:
    crm = Crm(place)
    defs(crm.facts(direction="to_snowflake"))
    assert "launch its job with full: true" in command("retry", "accounts", code=1)
    assert "is a mirror" in command("export", "accounts", code=1)
    assert "There is no sync seats; there are: accounts" in command("retry", "seats", code=1)
    defs(place.facts())
    assert command("retry", "seats") == "No row is refused.\n"
    with place.ledger.claim("seats", "a run"):
        assert "is being delivered by" in command("retry", "seats", code=1)
