"""A plan in a file is what people review and what `apply` then does, or refuses to do once anything has moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from planhat_pipelines.cli import main
from planhat_pipelines.engine.plans.apply import Moved, held_to
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm, of

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command over one sync, as a user writes it; gives its exit code and what it says."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "defs" / "one").mkdir(parents=True)

    def run(facts: dict[str, Any], *words: str) -> tuple[int, str]:
        kind = "SnowflakeUsage" if "incrementing_key" in facts else "SnowflakeRecords"
        sync = {"type": f"planhat_pipelines.{kind}", "attributes": facts}
        (tmp_path / "defs" / "one" / "defs.yaml").write_text(yaml.safe_dump(sync))
        code = main([*words, "--defs", str(tmp_path / "defs")])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def asked(place: Place) -> set[str]:
    """The methods of all requests to Planhat since the last call."""
    log = place.planhat.admin("GET", "log", limit=10_000)
    place.planhat.admin("DELETE", "log")
    return {entry["method"] for entry in log}


def test_a_plan_shows_each_field_masked_beside_what_planhat_holds_and_apply_does_just_that(
    place: Place, command: Command, tmp_path: Path
) -> None:
    crm, file = Crm(place), str(tmp_path / "plan.md")
    crm.accounts(("a", "Acme", "Lund"), ("b", "Bo", "Oslo"), ("c", "Cy", "Rome"))
    crm.run()
    place.put("companies", {"externalId": "n", "name": "Made by hand", "city": "Lund"})
    crm.sql("UPDATE {table} SET CITY = 'Secretville' WHERE ID = 'a'")
    crm.add(("n", "New one", "Lund"), ("m", "More", None), (None, "Nameless", None))
    asked(place)
    code, said = command(crm.facts(), "plan", "accounts", "--out", file)
    assert code == 1  # one row is refused
    assert f"planhat-pipelines apply {file}" in said
    assert asked(place) == {"GET"}
    text = Path(file).read_text(encoding="utf-8")
    assert "| a | city | 4 characters | 11 characters |" in text
    assert "| n | name | 12 characters | 7 characters |" in text  # it is there already
    assert "| m | name | 4 characters |" in text
    assert "Planhat holds 2 and does not hold 1" in text
    assert "| 1 | externalId | is empty: a row without a key can never be found again |" in text
    assert not any(value in text for value in ("Secretville", "New one", "Made by hand"))
    assert Path(file).stat().st_mode & 0o077 == 0
    command(crm.facts(), "plan", "accounts", "--out", f"{file}.open", "--show-values")
    assert "| a | city | Lund | Secretville |" in Path(f"{file}.open").read_text(encoding="utf-8")
    code, said = command(crm.facts(), "apply", file)
    assert code == 0, said
    assert crm.held()["a"]["city"] == "Secretville"
    assert crm.names()["n"] == "New one"
    assert (of(crm.run()), crm.ledger.runs("accounts")[1].id[:6]) == ({}, "apply-")
    code, said = command(crm.facts(), "apply", file)  # a second time
    assert code == 1
    assert "the ledger: a run has gone on" in said


def test_apply_refuses_before_it_sends_anything_and_says_what_has_moved(
    place: Place, command: Command, tmp_path: Path
) -> None:
    crm, file = Crm(place), str(tmp_path / "plan.md")
    crm.accounts(("a", "Acme", "Lund"))
    crm.run()
    crm.sql("UPDATE {table} SET CITY = 'Oslo'")
    assert command(crm.facts(), "plan", "accounts", "--out", file)[0] == 0
    asked(place)

    def refused(facts: dict[str, Any] | None = None) -> str:
        code, said = command(facts or crm.facts(), "apply", file)
        assert code == 1
        assert asked(place) == {"GET"}
        assert "nothing was sent" in said
        assert "planhat-pipelines plan accounts --out FILE" in said
        return said

    place.put("companies", {"externalId": "a", "city": "Edited"})
    asked(place)
    assert "Planhat: records" in (said := refused())
    assert "the source" not in said
    place.put("companies", {"externalId": "a", "city": "Lund"})
    crm.sql("UPDATE {table} SET CITY = 'Bergen'")
    asked(place)
    assert "the source: other rows" in (said := refused())
    assert "the ledger" not in said
    other = crm.facts(fields=[{"column": "NAME", "field": "name"}])
    assert "the sync's defs.yaml" in refused(other)
    assert crm.held()["a"]["city"] == "Lund"
    crm.run()
    asked(place)
    assert "the ledger" in refused()


def test_a_request_that_was_not_reviewed_is_not_sent_even_if_the_row_changes_at_the_last_moment(
    crm: Crm,
) -> None:
    crm.accounts(("a", "Acme", "Lund"))
    crm.sent()
    with crm.place.client() as planhat, pytest.raises(Moved, match="was not reviewed"):
        held_to(crm.sync(crm.spec(), planhat), ["another"]).run("apply")
    assert crm.sent() == 0
    assert of(crm.run()) == {"created": 1}


def test_a_file_that_was_edited_and_a_plan_that_cannot_run_are_not_applied(
    place: Place, command: Command, tmp_path: Path
) -> None:
    crm, file = Crm(place), tmp_path / "plan.md"
    crm.accounts(("a", "Acme"))
    fields = [{"column": "NAME", "field": "name"}, {"column": "CITY", "field": "custom.Not there"}]
    assert command(crm.facts(fields=fields), "plan", "accounts", "--out", str(file))[0] == 1
    assert "| Not there | text |" in file.read_text(encoding="utf-8")
    code, said = command(crm.facts(fields=fields), "apply", str(file))
    assert code == 1
    assert "Mend that and plan again" in said
    file.write_text(file.read_text(encoding="utf-8").replace('"sync"', '"snyc"'), encoding="utf-8")
    assert "holds no plan" in command(crm.facts(), "apply", str(file))[1]


def test_a_plan_of_usage_counts_points_and_parked_rows_and_is_applied_as_a_whole(
    place: Place, command: Command, tmp_path: Path
) -> None:
    file = str(tmp_path / "plan.md")
    place.companies("c-1")
    rows = [(1, "c-1", "2026-01-01", 5), (2, "c-1", "2026-01-02", 6), (3, "later", "2026-01-02", 7)]
    place.seats([*rows, (4, "c-1", None, 1)])
    asked(place)
    code, said = command(place.facts(), "plan", "seats")
    assert code == 1
    assert ["2", "seats"] in [line.split() for line in said.splitlines()]
    assert ["3", "company", "later"] in [line.split() for line in said.splitlines()]
    assert command(place.facts(), "plan", "seats", "--out", file)[0] == 1
    assert (asked(place), place.cursor(), place.ledger.parked()) == ({"GET"}, None, [])
    assert "| seats | 2 |" in Path(file).read_text(encoding="utf-8")
    place.add([(5, "c-1", "2026-01-03", 8)])
    assert "the source: other rows" in command(place.facts(), "apply", file)[1]
    assert not place.points()
    command(place.facts(), "plan", "seats", "--out", file)
    assert command(place.facts(), "apply", file)[0] == 0
    assert sum(place.points().values()) == 3
    assert [each.target for each in place.ledger.parked()] == ["later"]
