"""Rows of a sheet that is written the way every common program writes it, several times as fast as a parser."""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import datetime
from typing import IO

from planhat_pipelines.files.formats.cells import Look, Notes, number_text, shortened
from planhat_pipelines.files.formats.header import Row
from planhat_pipelines.files.formats.model import Limits, Unreadable
from planhat_pipelines.files.formats.xlsx_book import blocks, text_of

_CELL = re.compile(
    rb'<c r="([A-Z]{1,3})(\d{1,7})"(?: s="(\d{1,6})")?(?: t="(\w+)")?'
    rb"(?:/>|>(<f[^>]*/>|<f[^>]*>[^<]*</f>)?"
    rb'(?:<v(?: xml:space="preserve")?>([^<]*)</v>|<v ?/>'
    rb'|<is>(?:<t(?: xml:space="preserve")?>([^<]*)</t>|<t ?/>)</is>)?</c>)'
)
_BEGIN, _END, _ROW_END = b"<sheetData>", b"</sheetData>", b"</row>"
_NUMBER = Look()
_REMEMBERED = 100_000


class NotPlain(Exception):
    """The sheet is not written in the common way from here on; nothing of this block has been passed on."""


def fast_rows(
    file: IO[bytes], looks: list[Look], strings: list[str], epoch: datetime, notes: Notes, limits: Limits
) -> Generator[Row]:
    """Rows in order, with their cells from column A on, as text.

    Each block of rows is first checked to hold nothing but cells of the known form: as many cells are found as
    begin in it, and no comment, entity definition or raw section. Else NotPlain is raised.
    """
    sheet = _Cells(looks, strings, epoch, notes, limits)
    block = b""
    for number, block in enumerate(blocks(file, _ROW_END, _END, limits.line_bytes)):
        if not number:
            start = block.find(_BEGIN)
            if start < 0 or b"<!" in block[:start]:
                raise NotPlain
            block = block[start:]
        found = _CELL.findall(block)
        if b"<!" in block or len(found) != block.count(b"<c"):
            raise NotPlain
        notes.hidden_rows += block.count(b' hidden="1"')
        yield from sheet.rows(found)
    if not block.endswith(_END):
        raise NotPlain


class _Cells:
    def __init__(
        self, looks: list[Look], strings: list[str], epoch: datetime, notes: Notes, limits: Limits
    ) -> None:
        self._looks = {str(index).encode(): look for index, look in enumerate(looks)}
        self._strings, self._epoch, self._notes, self._limits = strings, epoch, notes, limits
        self._places: dict[bytes, int] = {}
        self._last = 0
        self._known: dict[tuple[bytes, bytes], str] = {}  # numbers by style

    def rows(self, found: list[tuple[bytes, ...]]) -> Generator[Row]:
        """The rows of one block."""
        places, strings, known, numeric = self._places, self._strings, self._known, self._notes.numeric
        current, cells = b"", list[str | None]()
        for letters, row, style, kind, formula, value, inline in found:
            if row != current:
                if current:
                    yield self._row(current), cells
                current, cells = row, []
            if not value and not inline:
                if formula and kind != b"str":
                    self._notes.uncalculated += 1
                continue
            if (place := places.get(letters)) is None:
                place = self._place(letters)
            if kind == b"s":
                try:
                    text = strings[int(value)]
                except (IndexError, ValueError):
                    raise self._damaged("points to a text that is not there", row) from None
            elif not kind or kind == b"n":
                if (text := known.get((value, style))) is None:
                    text = self._number(value, style, place, row)
                numeric.add(place)
            else:
                text = self._other(kind, value or inline)
            if place != len(cells):
                if place < len(cells):
                    raise self._damaged("is not in order", row)
                cells.extend([None] * (place - len(cells)))
            cells.append(text)
        if current:
            yield self._row(current), cells

    def _row(self, digits: bytes) -> int:
        row = int(digits)
        if row <= self._last:
            raise Unreadable("the sheet's rows are not in order", where=f"row {row:,}", cure="Save it again")
        self._last = row
        return row

    def _place(self, letters: bytes) -> int:
        place = -1
        for letter in letters:
            place = 26 * (place + 1) + letter - 65
        if place >= self._limits.columns:
            raise Unreadable(
                f"the sheet has a value in column {letters.decode()}, beyond the {self._limits.columns:,} columns "
                "that are read",
                cure="Delete what stands far to the right",
            )
        self._places[letters] = place
        return place

    def _number(self, value: bytes, style: bytes, place: int, row: bytes) -> str:
        try:
            number = float(value)
        except ValueError:
            raise self._damaged("holds no number", row) from None
        text = number_text(number, self._looks.get(style, _NUMBER), self._epoch)
        if shortened(number):
            self._notes.shortened.add(place)
        elif len(self._known) < _REMEMBERED:
            self._known[value, style] = text
        return text

    def _damaged(self, what: str, row: bytes) -> Unreadable:
        where, cure = f"row {int(row):,}", "Open it and save it again"
        return Unreadable(f"the workbook is damaged: a cell {what}", where=where, cure=cure)

    def _other(self, kind: bytes, value: bytes) -> str:
        if kind == b"b":
            return "true" if value == b"1" else "false"
        if kind == b"e":
            self._notes.errors += 1
        return text_of(value)
