"""`planhat-pipelines plan` says what a run would do, and does nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from planhat_pipelines.cli import main
from planhat_pipelines_tests.records.crm import Crm, of


@pytest.fixture
def plan(crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command over one sync; gives its exit code and its lines."""
    for name, value in crm.place.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "defs" / "one").mkdir(parents=True)

    def run(*words: str, **facts: object) -> tuple[int, str]:
        sync = {"type": "planhat_pipelines.SnowflakeRecords", "attributes": crm.facts(**facts)}
        (tmp_path / "defs" / "one" / "defs.yaml").write_text(yaml.safe_dump(sync))
        code = main(["plan", "accounts", "--defs", str(tmp_path / "defs"), *words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_plan_counts_what_the_run_then_does_and_changes_nothing(crm: Crm, plan) -> None:
    crm.custom("Level", "number")
    fields = [{"column": "NAME", "field": "name"}, {"column": "CITY", "field": "custom.Level"}]
    crm.accounts(("a", "Secret name", "1"), ("b", "Bo", "2"))
    crm.run(crm.spec(fields=fields))
    crm.sent()
    crm.sql("UPDATE {table} SET NAME = 'Other name' WHERE ID = 'a'")
    crm.sql("UPDATE {table} SET NOTE = 'x' WHERE ID = 'b'")
    crm.add(("c", "Cy", "3"), ("d", "Di", "high"))
    before = (crm.ledger.cursor("accounts"), crm.ledger.runs("accounts"))
    code, text = plan(fields=fields)
    assert code == 1
    ends = [line[1] for line in words(text) if len(line) == 2 and line[0] == "1"]
    assert ends == ["created", "changed", "refused", "unchanged"]
    assert ["1", "custom.Level", "is", "no", "number"] in words(text)
    assert ["c", "custom.Level", "externalId", "name"] in [
        [line[0], *sorted(word.strip(",") for word in line[1:])] for line in words(text) if line
    ]
    assert "name" in text
    assert "Secret" not in text
    assert "high" not in text
    assert before == (crm.ledger.cursor("accounts"), crm.ledger.runs("accounts"))
    assert crm.sent() == 0
    assert of(crm.run(crm.spec(fields=fields))) == {"created": 1, "updated": 1, "refused": 1, "unchanged": 1}


def test_custom_fields_that_are_missing_are_listed_with_their_type(crm: Crm, plan) -> None:
    crm.accounts(("a", "Ana"))
    fields = [
        {"column": "NAME", "field": "name"},
        {"column": "CITY", "field": "custom.Seats", "type": "integer"},
        {"column": "NOTE", "field": "custom.Remark"},
    ]
    code, text = plan(fields=fields)
    assert code == 1
    assert ["Seats", "number"] in words(text)
    assert ["Remark", "text"] in words(text)
    assert "No row would be sent." in text


def test_nothing_new_is_well(crm: Crm, plan) -> None:
    crm.accounts(("a", "Ana"))
    assert plan()[0] == 0
    crm.run()
    assert plan() == (0, "Nothing new: the next run would send nothing.\n")
    code, text = plan("--full")
    assert (code, words(text)[1]) == (0, ["1", "unchanged"])


def test_the_brake_and_what_would_be_archived_are_shown(crm: Crm, plan) -> None:
    issues = {
        "model": "issue",
        "key": {"column": "ID", "field": "sourceId"},
        "fields": [{"column": "NAME", "field": "title"}],
        "on_delete": "archive",
    }
    crm.accounts(("a", "Ana"), ("b", "Bo"))
    crm.run(crm.spec(**issues))
    crm.sql("DELETE FROM {table} WHERE ID = 'a'")
    code, text = plan(**issues)
    assert (code, words(text)[1:]) == (0, [["1", "archived"], [], ["archived", "fields"], ["a"]])
    crm.sql("DELETE FROM {table}")
    code, text = plan(**issues)
    assert code == 1
    assert "no row is left" in text


def test_a_sync_that_is_not_there_is_named_with_those_that_are(crm: Crm, plan) -> None:
    code, text = plan(name="others")
    assert code == 1
    assert "There is no sync accounts; there are: others" in text
