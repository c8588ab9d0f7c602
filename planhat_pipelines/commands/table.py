"""Rows of text as columns that fit the terminal, and how many of them."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence

from planhat_pipelines.spec.positions import printable

_GAP = "  "
_NARROWEST = 6


def columns(head: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> Iterator[str]:
    """Head and rows as lines; numbers stand to the right, and None is an empty cell. `width` None: that of the
    terminal, or, where there is none, as wide as the content."""
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in (head, *cells)) for at in range(len(head))]
    if width is None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    if width is not None:
        _shrink(widths, width - len(_GAP) * (len(head) - 1))
    right = [_are_numbers([row[at] for row in rows]) for at in range(len(head))]
    for row in (head, *cells):
        fitted = (_cut(text, size) for text, size in zip(row, widths, strict=True))
        aligned = (
            text.rjust(size) if number else text.ljust(size)
            for text, size, number in zip(fitted, widths, right, strict=True)
        )
        yield _GAP.join(aligned).rstrip()


def rest(total: int, limit: int, otherwise: str = "") -> Iterator[str]:
    """How many rows were left out, if any, and how to see them."""
    if total > limit:
        yield f"... and {total - limit:,} more: --limit {total}{otherwise}"


def positive(text: str) -> int:
    """The number of an argument such as --limit."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number


def _shrink(widths: list[int], room: int) -> None:
    """Take from the widest until all fit, or none can give more."""
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _are_numbers(cells: Sequence[object]) -> bool:
    """Whether a column has numbers alone, some of which may be missing."""
    found = [cell for cell in cells if cell is not None]
    return bool(found) and all(isinstance(cell, int | float) for cell in found)


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int | float) else printable("" if cell is None else str(cell), 500)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"
