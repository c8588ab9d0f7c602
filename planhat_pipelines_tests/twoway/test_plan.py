"""`planhat-pipelines plan` says what would go each way, and does nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from planhat_pipelines.cli import main
from planhat_pipelines_tests.records.crm import of
from planhat_pipelines_tests.twoway.pair import Pair

Show = Callable[..., tuple[int, str]]
FIELDS = [
    {"column": "NAME", "field": "name"},
    {"column": "CITY", "field": "city"},
    {"column": "NOTE", "field": "csmScore", "direction": "to_snowflake"},
]


@pytest.fixture
def plan(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Show:
    """Run the command over one sync; gives its exit code and what it says."""
    for name, value in pair.place.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "defs" / "one").mkdir(parents=True)

    def run(*words: str, **facts: object) -> tuple[int, str]:
        sync = {"type": "planhat_pipelines.SnowflakeRecords", "attributes": pair.facts(**facts)}
        (tmp_path / "defs" / "one" / "defs.yaml").write_text(yaml.safe_dump(sync))
        code = main(["plan", "accounts", "--defs", str(tmp_path / "defs"), *words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def blocks(text: str) -> dict[str, list[list[str]]]:
    """The lines of each part, in words, by its title."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line in ("To Planhat", "To Snowflake", "Changed on both sides"):
            title = line
        elif line:
            found.setdefault(title, []).append(line.split())
    return found


def test_the_plan_tells_what_the_run_then_does_each_way_and_leaves_no_trace(pair: Pair, plan: Show) -> None:
    pair.accounts(*((key, f"Name of {key}", "Lund", None) for key in "abcd"))
    for _ in range(2):  # the second run sees the records that the first one made
        pair.run(pair.spec(fields=FIELDS))
    pair.edit("a", city="Secret", csmScore=4)
    pair.edit("c", city="Uppsala")
    pair.sql("UPDATE {table} SET NAME = 'Other' WHERE ID = 'b'")
    pair.sql("UPDATE {table} SET CITY = 'Oslo' WHERE ID = 'c'")
    pair.add(("new", "New", "Malmö"), ("nameless", None, None))
    pair.sent()
    before = (
        pair.ledger.cursor("accounts"),
        pair.ledger.runs("accounts"),
        pair.ledger.rejections("accounts"),
        pair.rows(),
    )
    code, text = plan(fields=FIELDS)
    assert code == 1  # one row would be refused
    told = blocks(text)
    assert ["1", "created"] in told["To Planhat"]
    assert ["2", "changed"] in told["To Planhat"]
    assert ["b", "externalId,", "name"] in [[row[0], *sorted(row[1:])] for row in told["To Planhat"]]
    assert ["1", "refused"] in told["To Planhat"]
    assert ["a", "CITY,", "NOTE"] in told["To Snowflake"]
    assert told["Changed on both sides"][1][:3] == ["c", "city", "snowflake"]
    assert not any(word in text for word in ("Secret", "Other", "Uppsala", "Oslo"))
    after = (
        pair.ledger.cursor("accounts"),
        pair.ledger.runs("accounts"),
        pair.ledger.rejections("accounts"),
        pair.rows(),
    )
    assert before == after
    assert pair.ledger.conflicts("accounts") == []
    assert pair.sent() == 0
    report = pair.run(pair.spec(fields=FIELDS))
    assert {end: of(report.sent)[end] for end in ("created", "updated", "refused")} == {
        "created": 1,
        "updated": 2,
        "refused": 1,
    }
    assert ["1", "written", "where", "they", "differ"] in told["To Snowflake"]
    assert of(report.back)["updated"] == 1
    assert len(report.conflicts) == len(told["Changed on both sides"]) - 1


def test_where_both_sides_agree_there_is_nothing_new(pair: Pair, plan: Show) -> None:
    pair.accounts(("a", "Acme", "Lund"))
    pair.run()
    assert plan("--full") == (0, "Nothing new: the next run would send nothing.\n")


def test_the_brake_is_told_and_nothing_else(pair: Pair, plan: Show) -> None:
    pair.accounts(*((f"{at}", f"Company {at}", "Lund") for at in range(101)))
    pair.run()
    pair.sql("UPDATE {table} SET CITY = 'Oslo'")
    code, text = plan(brake=0.01)
    assert code == 1
    assert "this run would change 101 records in Planhat" in text


def test_a_mirror_that_is_not_there_yet_is_planned_and_not_made(pair: Pair, plan: Show) -> None:
    pair.place.companies("a", "b")
    mirror = {"direction": "to_snowflake", "create_table": True}
    for _ in range(2):
        code, text = plan(**mirror)
        assert code == 0
        assert ["2", "inserted"] in blocks(text)["To Snowflake"]
    pair.run(pair.spec(**mirror))
    assert plan(**mirror)[1] == "Nothing new: the next run would send nothing.\n"
