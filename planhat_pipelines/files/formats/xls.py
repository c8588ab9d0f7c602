"""The old Excel format (.xls, BIFF), read by xlrd: whole sheets in memory, of at most 65,536 rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.cells import Notes, look, number_text, shortened
from planhat_pipelines.files.formats.header import Row
from planhat_pipelines.files.formats.model import Limits, Unreadable


@dataclass(frozen=True)
class OldSheet:
    """A worksheet: its name, its index, and whether a person sees it."""

    name: str
    index: int
    visible: bool


class OldBook:
    """An open workbook."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self.sheets = [
            OldSheet(name, index, book._sheet_visibility[index] == 0)
            for index, name in enumerate(book.sheet_names())
        ]
        self._epoch = datetime(1904, 1, 1) if book.datemode else datetime(1899, 12, 30)  # noqa: DTZ001

    def rows(self, sheet: OldSheet, notes: Notes, limits: Limits) -> Generator[Row]:
        """Rows in order, with their cells from column A on, as text."""
        from xlrd import (
            XL_CELL_BLANK,
            XL_CELL_BOOLEAN,
            XL_CELL_DATE,
            XL_CELL_EMPTY,
            XL_CELL_ERROR,
            XL_CELL_NUMBER,
        )
        from xlrd.biffh import error_text_from_code

        page = self._book.sheet_by_index(sheet.index)
        for number in range(page.nrows):
            texts: list[str | None] = []
            for place, cell in enumerate(page.row(number)):
                kind, value = cell.ctype, cell.value
                if kind in (XL_CELL_NUMBER, XL_CELL_DATE):
                    notes.numeric.add(place)
                    if shortened(value):
                        notes.shortened.add(place)
                    code = self._book.format_map[self._book.xf_list[cell.xf_index].format_key].format_str
                    texts.append(number_text(value, look(code), self._epoch))
                elif kind == XL_CELL_BOOLEAN:
                    texts.append("true" if value else "false")
                elif kind == XL_CELL_ERROR:
                    notes.errors += 1
                    texts.append(error_text_from_code.get(value, "#N/A"))
                else:
                    texts.append(None if kind in (XL_CELL_EMPTY, XL_CELL_BLANK) else value or None)
            yield number + 1, texts


@contextmanager
def open_old_book(path: Path) -> Generator[OldBook]:
    """The workbook at `path`. Raises Unreadable when it is locked or damaged."""
    import xlrd
    from xlrd.biffh import XLRDError

    try:
        with xlrd.open_workbook(str(path), formatting_info=True, on_demand=True) as book:
            yield OldBook(book)
    except XLRDError as error:
        if "encrypted" in str(error).lower():
            raise Unreadable("the workbook is locked with a password", cure="Save it without one") from None
        raise Unreadable("the workbook is damaged or too old", cure="Open it and save it as .xlsx") from None
