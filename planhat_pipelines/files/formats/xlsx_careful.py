"""Rows of any sheet that openpyxl can read, for those that are not written in the common way."""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.cells import Notes, look, moment_text, number_text, shortened, unescaped
from planhat_pipelines.files.formats.header import Row
from planhat_pipelines.files.formats.model import Limits, Unreadable


def careful_rows(path: Path, sheet: str, epoch: datetime, notes: Notes, limits: Limits) -> Generator[Row]:
    """Rows in order, with their cells from column A on, as text. Formulas that were never calculated read as
    empty cells here and are not counted."""
    from openpyxl import load_workbook

    with path.open("rb") as file:  # by its name openpyxl would judge the format
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        page: Any = book[sheet]
        page.reset_dimensions()  # what a file says of its own extent is often wrong
        for number, cells in enumerate(page.iter_rows(), 1):
            end = next((place for place in range(len(cells), 0, -1) if cells[place - 1].value is not None), 0)
            if end > limits.columns:
                raise Unreadable(
                    f"the row has a value beyond the {limits.columns:,} columns that are read",
                    where=f"row {number:,}",
                )
            if end:
                yield number, [_text(cell, place, epoch, notes) for place, cell in enumerate(cells[:end])]


def _text(cell: Any, place: int, epoch: datetime, notes: Notes) -> str | None:
    value = cell.value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        notes.numeric.add(place)
        if shortened(value):
            notes.shortened.add(place)
        return number_text(value, look(cell.number_format), epoch)
    if isinstance(value, date | time | timedelta):
        notes.numeric.add(place)
        return moment_text(value, look(cell.number_format))
    notes.errors += cell.data_type == "e"
    return unescaped(str(value))
