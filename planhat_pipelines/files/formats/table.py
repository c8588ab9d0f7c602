"""Rows of cells, one at a time, into columns under a header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planhat_pipelines.files.formats.header import Header, Row
from planhat_pipelines.files.formats.pieces import Pieces

_BATCH_CELLS = 200_000
NAMELESS = "it has a value in a column that has no name"


def write_rows(rows: Iterable[Row], header: Header, pieces: Pieces, *, exact: bool) -> None:
    """Write the rows below the header. Blank rows are passed over.

    exact: a row must have as many cells as the header (delimited text); else missing cells are empty (sheets).
    Either way a row with a value outside the named columns is refused, never shifted.
    """
    most = max(1, _BATCH_CELLS // len(header.columns))
    lines: list[int] = []
    batch: list[Sequence[str | None]] = []
    for line, cells in rows:
        if not any(cells):
            continue
        if exact and len(cells) != header.width:
            pieces.refuse(line, wrong_width(len(cells), header.width), cells)
        elif any(cells[: header.first]) or any(cells[header.end :]):
            pieces.refuse(line, NAMELESS, cells)
        else:
            lines.append(line)
            batch.append(cells)
            if len(batch) >= most:
                pieces.add(lines, _columns(batch, header))
                lines, batch = [], []
    if batch:
        pieces.add(lines, _columns(batch, header))


def wrong_width(found: int, expected: int) -> str:
    """The reason of a row with too many or too few cells."""
    return f"it has {found:,} cells, where {expected:,} were expected"


def _columns(batch: list[Sequence[str | None]], header: Header) -> dict[str, list[str | None]]:
    first, end = header.first, header.end
    padded = [cells if len(cells) >= end else [*cells, *[None] * (end - len(cells))] for cells in batch]
    columns = list(zip(*(cells[first:end] for cells in padded), strict=True))
    return {
        name: [cell or None for cell in column] for name, column in zip(header.columns, columns, strict=True)
    }
