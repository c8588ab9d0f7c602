"""The check command tries the promises of valid syncs, unless it is told to stay offline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.spec.files import SEATS, write

SYNC = """\
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: seats
  table: {table}
  incrementing_key: ROW_ID
  every: 5m
  metrics:
    target: {{model: company, column: ACCOUNT_ID}}
    date: DAY
    values: [{{metric: seats, column: SEATS}}]
"""


def check(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planhat_pipelines.cli", "check", "defs", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_promise_has_a_line_and_a_broken_one_makes_the_exit_code_1(
    place: Place, tmp_path: Path
) -> None:
    place.companies("c-1")
    place.seats([(1, "c-1", "2026-01-01", 5)])
    write(tmp_path / "defs" / "seats", SYNC.format(table=place.table))
    good = check(tmp_path, **place.environment)
    assert (good.returncode, good.stderr) == (0, "")
    lines = good.stdout.splitlines()
    assert lines[:2] == ["1 valid sync in defs", ""]
    assert {line.split()[0] for line in lines[2:-1]} == {"ok"}
    assert "ok       seats      of the last 1 rows 1 can go" in lines
    assert lines[-1] == f"{len(lines) - 3} promises tried, 0 problems"
    place.add([(1, "c-1", "2026-01-02", 6)])
    bad = check(tmp_path, **place.environment)
    assert bad.returncode == 1
    assert "problem  seats      1 rows repeat the ROW_ID" in bad.stdout
    assert bad.stdout.splitlines()[-1].endswith("promises tried, 1 problem")


def test_without_sign_in_it_names_the_variables_and_offline_it_asks_for_none(tmp_path: Path) -> None:
    write(tmp_path / "defs" / "seats", SEATS)
    online = check(tmp_path)
    assert online.returncode == 1
    assert "SNOWFLAKE_ACCOUNT is not set" in online.stdout
    assert "PLANHAT_TOKEN is not set" in online.stdout
    offline = check(tmp_path, "--offline")
    assert (offline.returncode, offline.stdout) == (0, "1 valid sync in defs\n")


def test_nothing_is_tried_while_the_yaml_has_problems(tmp_path: Path) -> None:
    write(tmp_path / "defs" / "seats", SEATS.replace("every:", "evry:"))
    done = check(tmp_path)
    assert done.returncode == 1
    assert "is not set" not in done.stdout
