"""Tables in Markdown, whatever stands in their cells: text of customers is text, and never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planhat_pipelines.spec.positions import printable

_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])")  # `_` inside a word is none
_LONGEST = 500


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Head and rows; each row is one line. Of a text that is a `Code` the cell looks like code."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(map(cell, cells))} |" for cells in lines)


class Code(str):
    """Text that is to look like code."""


def cell(value: object) -> str:
    """One value as text that stands in a cell as it is: on one line, and with nothing that a page would obey."""
    text = (
        f"{value:,}" if isinstance(value, int) else printable("" if value is None else str(value), _LONGEST)
    )
    if isinstance(value, Code) and text and "`" not in text:
        return "`" + text.replace("|", "\\|") + "`"
    return _MARKUP.sub(r"\\\g<0>", text)
