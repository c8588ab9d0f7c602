"""What the pages in docs/ show is what the project says and takes."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from planhat_pipelines.cli import COMMANDS
from planhat_pipelines.engine import environment

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
JSON = [block for text in TEXTS.values() for block in re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)]


@cache
def said() -> str:
    """Every text in the code, one a line, with … for what is filled in."""
    found: list[str] = []
    for module in sorted((ROOT / "planhat_pipelines").rglob("*.py")):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        parts = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                found.append(node.value)
    return "\n".join(found)


def quoted() -> list[str]:
    rows = TEXTS["troubleshooting.md"].splitlines()
    return [row.split("`")[1] for row in rows if row.startswith("| `")]


def test_every_error_that_is_explained_is_one_the_code_gives() -> None:
    assert len(quoted()) > 40
    assert [text for text in quoted() if text not in said()] == []


def test_no_error_is_explained_twice() -> None:
    assert len(set(quoted())) == len(quoted())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_it_points_to_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", TEXTS[page.name])
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_policy_is_json_and_lets_nobody_do_everything() -> None:
    assert len(JSON) >= 4
    for block in JSON:
        json.loads(block)
        assert '"*"' not in block


def test_the_policy_for_s3_covers_what_a_refused_sync_is_told_to_ask_for() -> None:
    from planhat_pipelines.files.errors import RIGHTS

    page = TEXTS["connect-s3.md"]
    assert [right for right in re.findall(r"(?:s3|kms):\w+", RIGHTS) if right not in page] == []


def test_every_variable_and_command_exists() -> None:
    known = environment.__doc__ or ""
    short = {f"SNOWFLAKE{name}" for name in re.findall(r"(?<![A-Z0-9])_[A-Z_]+", known)}
    for text in TEXTS.values():
        named = set(re.findall(r"\b(?:SNOWFLAKE|PLANHAT|AWS|S3)_[A-Z][A-Z_]+\b", text))
        assert {name for name in named if name not in known and name not in short} == set()
        assert set(re.findall(r"planhat-pipelines ([a-z]+)", text)) <= set(COMMANDS)


def test_the_map_names_every_part_of_the_package() -> None:
    parts = {path.name for path in (ROOT / "planhat_pipelines").iterdir() if (path / "__init__.py").exists()}
    assert [part for part in parts if f"`{part}/`" not in TEXTS["architecture.md"]] == []
    places = re.findall(r"`((?:\w+/)+\w+\.py)`", TEXTS["architecture.md"])
    assert [
        place
        for place in places
        if not any((ROOT / top / place).exists() for top in (".", "planhat_pipelines"))
    ] == []
