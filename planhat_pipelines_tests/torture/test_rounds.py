"""A short version of `make torture`: a round of each kind of sync from a fixed seed, and whether its checks would see
what is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from torture.crm import BothWays, OneWay
from torture.drops import DropMetrics, DropRecords, Inbox
from torture.report import report
from torture.rounds import SCENES, Outcome, Round, over_budget, prepared
from torture.scenes import NAMES, Scene, Violations
from torture.stage import BUDGET, Stage
from torture.usage import Activities, Metrics

SEED = "20261122"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("torture")) as stage:
        yield stage


@pytest.fixture(scope="module", params=[each.__name__ for each in SCENES])
def played(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Round]:
    """A round that was played; what is spoilt afterwards is looked for anew."""
    number = [each.__name__ for each in SCENES].index(request.param)
    with prepared(stage, f"{SEED}/{number}", number, request.param) as round_:
        round_.play()
        yield round_


def seen(round_: Round) -> Violations:
    """What the checks find now."""
    found = Violations()
    round_.look(found)
    return found


def test_whatever_dies_and_fails_every_invariant_holds(played: Round) -> None:
    outcome = played.outcome
    assert not outcome.violations, f"round {outcome.seed}:\n" + "\n".join(outcome.violations.seen)
    assert outcome.ended("done")


def test_what_is_wrong_is_seen(stage: Stage, played: Round) -> None:
    (scene,) = played.scenes
    with played.stage.output.open("ab") as output:
        output.write(stage.secrets["Planhat token"].encode())
    (played.folder / "spool").mkdir(exist_ok=True)
    (played.folder / "spool" / "left").touch()
    with closing(sqlite3.connect(played.folder / "ledger.db", timeout=10)) as ledger, ledger:
        ledger.execute("UPDATE planhat_runs SET counts = json_set(counts, '$.rows_read', 4711)")
        ledger.execute(
            "INSERT INTO planhat_runs (id, sync, state, started_at, counts, message) "
            "SELECT 'forgotten', sync, 'running', started_at, counts, '' FROM planhat_runs LIMIT 1"
        )
    wrong = spoilt(stage, scene)
    found = seen(played)
    assert {"9 secrets", "6 counts", wrong} <= found.keys()
    said = "\n".join(line for line in found.seen if line.startswith("10 orphans"))
    assert "a run is still said to run" in said
    assert "files are left" in said


def spoilt(stage: Stage, scene: Scene) -> str:
    """Do what only a faulty sync would; gives the invariant that is broken by it."""
    match scene:
        case Activities() if scene.on_doubt == "resend":
            scene.rows.clear()  # as if what was sent had never been in the table
            return "oracle"
        case Activities():
            twice(stage, "activities")
            return "2 doubled"
        case Metrics() | DropMetrics():
            twice(stage, "points")
            return "2 doubled"
        case OneWay():
            scene.crm.sql("UPDATE {table} SET NAME = 'other'")
            return "oracle"
        case BothWays():
            scene.pair.sql("UPDATE {table} SET NAME = 'other'")
            return "8 latest"
        case DropRecords():
            archive = f"{scene.dock.root}processed/{scene.dock.keys('processed/')[0]}"
            scene.dock.s3.put_object(Bucket="drops", Key=archive, Body=b"other bytes")
            return "4 order"
        case _:
            raise AssertionError(scene)


def twice(stage: Stage, table: str) -> None:
    """Let Planhat hold everything twice."""
    file = stage.folder / "planhat" / "planhat.sqlite"
    with closing(sqlite3.connect(file, timeout=10)) as planhat, planhat:
        columns = [row[1] for row in planhat.execute(f"PRAGMA table_info({table})") if not row[5]]
        listed = ", ".join(columns)
        planhat.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {table}")


def test_what_got_lost_is_seen(stage: Stage, played: Round) -> None:
    (scene,) = played.scenes
    stage.planhat.admin("POST", "reset")
    if isinstance(scene, Inbox):
        archive = f"{scene.dock.root}processed/{scene.dock.keys('processed/')[0]}"
        scene.dock.s3.delete_object(Bucket="drops", Key=archive)
    found = seen(played)
    assert {"1 lost", "5 places" if isinstance(scene, Inbox) else "3 ahead"} <= found.keys()


def test_calls_beyond_the_budget_are_seen() -> None:
    def call(second: float, ms: float) -> dict[str, Any]:
        return {"at": f"2026-11-22T10:00:{second:09.6f}+00:00", "ms": ms}

    most: int = BUDGET["parallel"]
    assert over_budget([call(n, 400) for n in range(10)], 0) == ""
    assert over_budget([call(1, 400)] * (most + 1), 0) == f"{most + 1} calls at once"
    assert over_budget([call(1, 400)] * (most + 1), 1) == ""
    assert over_budget([call(n / 1000, 0.1) for n in range(200)], 0).endswith("s")


def test_the_report_tells_of_each_sync_and_invariant() -> None:
    outcome = Outcome("1/1", ["OneWay"])
    outcome.runs["OneWay", "killed"] = 3
    outcome.faults["slow"] = 1_200
    outcome.violations.expect("1 lost", False, "k1")
    lines = report([outcome, Outcome("1/2", ["OneWay"])], 90.0).splitlines()
    assert "2 rounds in 1.5 minutes: 3 runs, 3 killed, 1,200 faults, 1 violations" in lines
    assert "OneWay       2     0       3       0     0" in lines
    assert "slow   1,200" in lines
    assert any(line.startswith("1 lost             1") for line in lines)
    assert all(any(line.startswith(name) for line in lines) for name in NAMES)
