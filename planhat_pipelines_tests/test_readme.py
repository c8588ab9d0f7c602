"""What the README shows is what the project takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from planhat_pipelines.cli import COMMANDS
from planhat_pipelines.engine import environment
from planhat_pipelines.spec.load import load
from planhat_pipelines_tests.spec.files import write

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md"]
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("at", range(len(BLOCKS)))
def test_every_yaml_example_is_a_valid_sync(tmp_path: Path, at: int) -> None:
    write(tmp_path / "sync", BLOCKS[at])
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert loaded.syncs


def test_every_variable_it_names_is_one_the_project_reads() -> None:
    named = set(re.findall(r"\b(?:SNOWFLAKE|PLANHAT|AWS|S3)_[A-Z_]+\b", README)) - {"PLANHAT_PIPELINES_DEFS"}
    known = environment.__doc__ or ""
    short = {f"SNOWFLAKE{name}" for name in re.findall(r"(?<![A-Z0-9])_[A-Z_]+", known)}
    assert {name for name in named if name not in known and name not in short} == set()


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_every_file_it_points_to_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_command_it_shows_exists() -> None:
    shown = {name for page in PROSE for name in re.findall(r"planhat-pipelines ([a-z]+)", page.read_text())}
    assert shown - {"command"} <= set(COMMANDS)
    makefile = (ROOT / "Makefile").read_text()
    wanted = {
        name
        for page in PROSE
        for name in re.findall(r"\bmake (demo|test|lint|format|dev|bench)\b", page.read_text())
    }
    assert [name for name in wanted if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)] == []
