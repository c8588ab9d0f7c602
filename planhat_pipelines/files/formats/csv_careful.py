"""Delimited text row by row, for any text: every line end, every quote, and the exact line of every fault."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from typing import BinaryIO

from planhat_pipelines.files.formats.header import Row
from planhat_pipelines.files.formats.model import Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces
from planhat_pipelines.files.formats.text import Text


def careful_rows(
    text: Text, delimiter: str, quote: str, limits: Limits, refusals: Pieces | None
) -> Generator[Row]:
    """Rows with the line each begins on. Blank lines come as rows without cells.

    A fault of quoting within one line refuses that row (into `refusals`, where given); one that spans lines makes
    everything after it doubtful and raises Unreadable, as an open quote does.
    """
    csv.field_size_limit(limits.field_bytes)
    with text.opened() as file:
        lines = _Lines(file, limits.line_bytes)
        reader = (
            csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
            if quote
            else csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
        )
        while True:
            begins = reader.line_num + 1
            try:
                yield begins, next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if reader.line_num != begins or "expected after" not in str(error):
                    raise _fault(str(error), begins, reader.line_num, limits) from None
                if refusals:
                    cells = next(csv.reader([lines.last], delimiter=delimiter, quotechar=quote))
                    refusals.refuse(begins, "text follows a closing quote", cells)


class _Lines:
    """Lines with any line end, none longer than the bound."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = io.TextIOWrapper(file, "utf-8", newline="")
        self._most = most
        self._number = 0
        self.last = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last = self._file.readline(self._most)
        if not self.last:
            raise StopIteration
        self._number += 1
        if len(self.last) >= self._most:
            raise Unreadable(
                f"the line is longer than {self._most:,} characters", where=f"line {self._number:,}"
            )
        return self.last


def _fault(error: str, begins: int, ends: int, limits: Limits) -> Unreadable:
    cure = "Close the quote, or set quote to the character that is used"
    if "field larger" in error:
        return Unreadable(
            f"a cell is longer than {limits.field_bytes:,} characters, or its quote is never closed",
            where=f"line {begins:,}",
            cure=cure,
        )
    if "end of data" in error:
        return Unreadable("a quote is opened and never closed", where=f"line {begins:,}", cure=cure)
    return Unreadable(
        f"a quote opened here is closed on line {ends:,} in the middle of a cell, so the rows between cannot be told",
        where=f"line {begins:,}",
        cure=cure,
    )
