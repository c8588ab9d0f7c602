"""The demo, from nothing to its summary, and Dagster's pages over what it left."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

import planhat_pipelines
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.sandbox.state import is_running, read_facts
from planhat_pipelines.spec.load import load
from planhat_pipelines.spec.records import RecordsSpec

COMMAND = [sys.executable, "-m", "planhat_pipelines.cli"]
SPECS = [each.spec for each in load(Path(planhat_pipelines.__file__).parent / "defs").syncs]
SYNCS = {spec.name for spec in SPECS}
BOTH = {spec.name for spec in SPECS if isinstance(spec, RecordsSpec) and spec.direction == "both"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The state folder of a demo that has ended, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    stranger = {"SNOWFLAKE_PASSWORD": "of a real account", "AWS_PROFILE": "real", "PLANHAT_TENANT": "real"}
    done = subprocess.run(
        [*COMMAND, "demo", "--folder", "state", "--scale", "0.1", "--no-keep"],
        cwd=folder,
        env=os.environ | stranger,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return folder / "state", done.stdout


def test_every_sync_ran_twice_and_the_second_round_sent_only_what_is_new(played: tuple[Path, str]) -> None:
    state, _ = played
    with Ledger.open(f"sqlite:///{state / 'sandbox' / 'ledger.db'}") as ledger:
        for sync in SYNCS:
            *third, second, first = ledger.runs(sync)
            assert {run.state for run in (first, second, *third)} == {"done"}, sync
            assert len(third) == (sync in BOTH), sync
            # what the first round wrote to a table is read again by the second one, as a change
            read = "items_sent" if sync in BOTH else "rows_read"
            assert first.counts[read] > 0, sync
            assert second.counts[read] < first.counts[read] / 4, sync


def test_what_people_edited_in_planhat_came_to_snowflake_and_was_no_news_after_that(
    played: tuple[Path, str],
) -> None:
    state, said = played
    edited = said[said.index("Edited in Planhat") : said.index("Round 3 sent and wrote nothing")]
    holds = re.findall(
        r"^(ACC-\d+|0\d+) +(\w+) +(\S+) +(\S+)( +was changed there, too.*)?$", edited, re.MULTILINE
    )
    assert len(holds) == 4
    assert [(value == now, bool(too)) for _, _, value, now, too in holds].count((True, False)) == 3
    assert next(too for _, field, _, _, too in holds if field == "phase")
    with Ledger.open(f"sqlite:///{state / 'sandbox' / 'ledger.db'}") as ledger:
        third, second, _ = ledger.runs("accounts")
        assert second.counts["back_updated"] == 2
        assert not any(third.counts[name] for name in ("created", "updated", "back_created", "back_updated"))
        assert "Negotiation" in [each.planhat for each in ledger.conflicts("accounts")]


def test_the_summary_says_what_went_what_did_not_and_where_to_look(played: tuple[Path, str]) -> None:
    _, said = played
    table = said[said.index("\nsync ") : said.index("Edited in Planhat")].strip().splitlines()
    assert max(map(len, table)) <= 130
    ends = [re.sub(r"^\w+ +[123] +[\d,]+", "", line) for line in table]
    assert not any(re.search(r" 0\b", each) for each in ends)  # what did not happen is left out
    rounds = re.findall(r"^(\w+) +([123]) +[\d,]+(?: |$)", "\n".join(table), flags=re.MULTILINE)
    assert sorted(rounds) == sorted(
        (sync, number) for sync in SYNCS for number in ("123" if sync in BOTH else "12")
    )
    assert re.search(
        r"Planhat now holds \d+ companies, \d+ endusers, .*\n[\d,]+ metric points and [\d,]+ activities", said
    )
    assert "rows were refused:" in said
    assert "daily_seats: ACCOUNT_ID is empty, so the row names no company" in said
    assert "rows name a record that Planhat does not hold" in said
    assert "planhat-pipelines rejections" in said


def test_nothing_of_it_runs_on_when_it_was_not_to_be_kept(played: tuple[Path, str]) -> None:
    state, _ = played
    assert not is_running(state / "sandbox")
    for port in read_facts(state / "sandbox")["ports"].values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.long
def test_dagster_shows_the_runs_of_the_demo_over_the_same_sandbox(played: tuple[Path, str]) -> None:
    state, _ = played
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, "dev", "--folder", str(state), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        answer = ask(
            f"http://127.0.0.1:{port}", "{runsOrError{... on Runs{results{jobName status}}}}", process
        )
        assert is_running(state / "sandbox")
        runs = answer["runsOrError"]["results"]
        assert {run["jobName"] for run in runs} >= {f"{sync}_job" for sync in SYNCS}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not is_running(state / "sandbox")


def ask(url: str, query: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The answer of Dagster's GraphQL once it is up."""
    for _ in range(240):
        assert process.poll() is None
        try:
            answer = requests.post(f"{url}/graphql", json={"query": query}, timeout=30)
            return json.loads(answer.text)["data"]
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError("Dagster's pages did not come up")


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "precious.txt").write_text("mine")
    done = subprocess.run(
        [*COMMAND, "demo", "--folder", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "precious.txt" in done.stderr
    assert (tmp_path / "sandbox" / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_demo_that_is_told_to_stop_in_a_run_stops_and_takes_its_servers_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--folder", str(tmp_path), "--scale", "0.1", "--keep"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    try:
        for line in process.stdout:
            if line.startswith("Round 1"):
                break
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.stdout.close()
    assert not is_running(tmp_path / "sandbox")
