from __future__ import annotations

import os
import pty
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from planhat_pipelines_tests.spec.files import LOGINS, SEATS, write

COMMAND = [sys.executable, "-m", "planhat_pipelines.cli"]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_check_prints_place_problem_and_cure_by_file_and_exits_with_1(tmp_path: Path):
    write(tmp_path / "defs" / "a", SEATS.replace("500", "ten").replace("column: SEATS", "colum: SEATS"))
    write(tmp_path / "defs" / "b", LOGINS.replace("5m", "7m"))
    write(tmp_path / "defs" / "c", LOGINS)
    done = run("check", "defs", "--offline", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "defs/a/defs.yaml:6:12  expected a whole number, found text  (overlap)",
        "    write for instance `overlap: 10000`",
        "defs/a/defs.yaml:16:9  unknown key 'colum'  (metrics.values[1].colum)",
        "    did you mean 'column'?",
        "",
        "defs/b/defs.yaml:6:10  '7m' is no cadence  (every)",
        "    write one of 5m, 10m, 15m, 30m, 1h, 6h, 'daily at 06:00', 'weekly on monday at 06:00', "
        "or a cron line of five fields such as '*/20 6-18 * * 1-5'",
        "",
        "defs/c/defs.yaml:3:9  two syncs are named 'logins': this one and the one in b/defs.yaml line 3  (name)",
        "    a name is a sync's identity; give one of them another",
        "",
        "4 problems in 3 files; 0 valid syncs in defs",
    ]


def test_check_of_a_good_folder_says_how_many_syncs_and_exits_with_0(tmp_path: Path):
    write(tmp_path / "defs" / "a", SEATS + "---\n" + LOGINS)
    done = run("check", str(tmp_path / "defs"), "--offline", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 valid syncs in defs\n", "")


def test_check_of_a_folder_that_is_not_there_exits_with_1(tmp_path: Path):
    done = run("check", "gone", cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no such folder" in done.stdout


def test_names_that_the_terminal_cannot_show_do_not_stop_the_report(tmp_path: Path):
    write(tmp_path / "defs" / os.fsdecode(b"\xff\x1b[31m\xc3\xa5"), "type: x\n")
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [*COMMAND, "check", "defs"], cwd=tmp_path, capture_output=True, env=environment, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_only_and_can_be_refused(
    tmp_path: Path, environment: dict[str, str], coloured: bool
):
    write(tmp_path / "defs" / "a", "type: x\n")
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    done = subprocess.run(
        [*COMMAND, "check", "defs"], cwd=tmp_path, stdout=theirs, env={**kept, **environment}, timeout=60
    )
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert done.returncode == 1
    assert (b"\x1b[31m" in shown) is coloured


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path):
    write(tmp_path / "defs" / "a", "type: x\n---\n" * 150)
    with subprocess.Popen(
        [*COMMAND, "check", "defs"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("words", [[], ["chek"], ["check", "--wrong"], ["check", "a", "b"]])
def test_a_wrong_command_line_exits_with_2_and_says_how(tmp_path: Path, words: list[str]):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage: planhat-pipelines" in done.stderr


def test_help_teaches_with_an_example_the_exit_codes_and_costs_little(tmp_path: Path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert "check " in done.stdout
    assert "exit codes:" in done.stdout
    assert "planhat-pipelines check path/to/defs" in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
    assert "example: planhat-pipelines check" in run("check", "--help", cwd=tmp_path).stdout


def test_the_version_is_the_installed_one(tmp_path: Path):
    version = metadata.version("planhat-pipelines")
    assert run("--version", cwd=tmp_path).stdout == f"planhat-pipelines {version}\n"
