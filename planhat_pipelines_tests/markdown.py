"""Read back the tables that people see in Dagster."""

from __future__ import annotations

import re


def rows(text: str) -> list[dict[str, str]]:
    """The rows of the first table in a Markdown, each by the table's head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    head, _, *cells = ([_plain(cell) for cell in re.split(r" (?<!\\)\| ", line[2:-2])] for line in lines)
    return [dict(zip(head, each, strict=True)) for each in cells]


def _plain(cell: str) -> str:
    return re.sub(r"\\(.)", r"\1", cell.strip(" `"))
