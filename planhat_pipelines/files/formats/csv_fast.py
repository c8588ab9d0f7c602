"""Delimited text block by block through Arrow, for text that a survey has shown to be exactly quoted."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl

from planhat_pipelines.files.formats.header import Header
from planhat_pipelines.files.formats.model import LINE, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces
from planhat_pipelines.files.formats.table import NAMELESS, wrong_width
from planhat_pipelines.files.formats.text import Text
from planhat_pipelines.files.formats.unpack import CHUNK

_NEWLINE, _RETURN = 10, 13


@dataclass(frozen=True)
class Quoting:
    """exact: every quote opens, closes or doubles, and lines end in a newline, so that Arrow reads what is meant.

    newlines: some cells hold line breaks, so a row's line is not its number.
    """

    exact: bool
    newlines: bool


def survey(text: Text, delimiter: str, quote: str) -> Quoting:
    """Look at every quote and line end once. Arrow alone takes an open quote, or a stray one, without a word."""
    mark = ord(quote) if quote else -1
    beside = np.zeros(256, bool)
    beside[[ord(delimiter), _NEWLINE, _RETURN, mark]] = True  # what may stand on a quote's outer side
    inside = newlines = False
    before = _NEWLINE
    with text.opened() as file:
        while chunk := file.read(CHUNK):
            block = np.frombuffer(bytes([before]) + chunk, np.uint8)
            if (before == _RETURN and chunk[0] != _NEWLINE) or chunk.count(b"\r", 0, -1) != chunk.count(
                b"\r\n"
            ):
                return Quoting(False, newlines)
            quotes = np.flatnonzero(block[1:] == mark) + 1
            opening, closing = quotes[int(inside) :: 2], quotes[1 - int(inside) :: 2]
            if before == mark and not inside and not beside[block[1]]:
                return Quoting(False, newlines)
            followed = closing[closing < len(block) - 1]
            if not (beside[block[opening - 1]].all() and beside[block[followed + 1]].all()):
                return Quoting(False, newlines)
            if not newlines and (inside or len(quotes)):
                breaks = np.flatnonzero(block[1:] == _NEWLINE) + 1
                newlines = bool(((np.searchsorted(quotes, breaks) + int(inside)) % 2).any())
            inside ^= bool(len(quotes) % 2)
            before = chunk[-1]
    return Quoting(not inside and before != _RETURN, newlines)


def read_fast(
    text: Text, delimiter: str, quote: str, header: Header, quoting: Quoting, pieces: Pieces, limits: Limits
) -> None:
    """Read what is below the header, in blocks of at most `line_bytes`, all as text."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    width = header.width
    as_text = cast(Any, pa).string()
    names = [str(place) for place in range(width)]
    with text.opened() as file:
        for _ in range(header.last_line):
            file.readline()
        if not file.read(1):
            return
        file.seek(-1, 1)
        lines = _Lines(header, delimiter, quote, pieces)
        try:
            batches = cast(Any, pacsv).open_csv(
                file,
                read_options=pacsv.ReadOptions(
                    column_names=names, use_threads=False, block_size=limits.line_bytes
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=delimiter,
                    quote_char=quote or False,
                    newlines_in_values=quoting.newlines,
                    ignore_empty_lines=False,
                    invalid_row_handler=lines.refuse,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, as_text), null_values=[""], strings_can_be_null=True
                ),
            )
            for batch in batches:
                frame = cast(pl.DataFrame, pl.from_arrow(batch))
                numbers = pl.Series(LINE, lines.of(frame, quoting.newlines), pl.Int64)
                _add(frame.insert_column(0, numbers), header, pieces, limits)
            lines.finish()
        except ValueError as error:
            if "straddling" not in str(error):
                raise
            raise Unreadable(f"a line is longer than {limits.line_bytes:,} bytes") from None


def _add(frame: pl.DataFrame, header: Header, pieces: Pieces, limits: Limits) -> None:
    """Pass on the rows that hold something, and refuse those that hold something outside the columns."""
    places = [name for name in frame.columns if name != LINE]
    for place in places:
        column = frame[place]
        if (
            column.estimated_size() > limits.field_bytes
            and cast(int, column.str.len_bytes().max()) > limits.field_bytes
        ):
            raise Unreadable(f"a cell is longer than {limits.field_bytes:,} bytes")
    named = places[header.first : header.end]
    nameless = [place for place in places if place not in named]
    if nameless:
        astray = pl.any_horizontal(pl.col(nameless).is_not_null())
        for line, *cells in frame.filter(astray).iter_rows():
            pieces.refuse(line, NAMELESS, cells)
        frame = frame.filter(~astray)
    if frame[named[0]].has_nulls():
        frame = frame.filter(pl.any_horizontal(pl.col(named).is_not_null()))
    pieces.good.add(frame.select(LINE, *named).rename(dict(zip(named, header.columns, strict=True))))


class _Lines:
    """The line each row begins on. Arrow numbers the rows it refuses and leaves them out of its batches."""

    def __init__(self, header: Header, delimiter: str, quote: str, pieces: Pieces) -> None:
        self._row, self._line = 1, header.last_line + 1  # of the next row to come
        self._width, self._pieces = header.width, pieces
        self._dialect: dict[str, Any] = {"delimiter": delimiter}
        self._dialect |= {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
        self._refused: list[Any] = []

    def refuse(self, row: Any) -> str:
        """Arrow's handler of rows of another width; kept until the line is known."""
        self._refused.append(row)
        return "skip"

    def of(self, batch: Any, newlines: bool) -> Any:
        """The lines of a batch's rows, refusing on the way the rows that stood between them."""
        end, between = self._row + len(batch), 0
        while between < len(self._refused) and self._refused[between].number < end:
            between, end = between + 1, end + 1
        gone, self._refused = self._refused[:between], self._refused[between:]
        places = np.array([row.number - self._row for row in gone], np.int64)
        here = np.ones(end - self._row, bool)
        here[places] = False
        breaks = np.zeros(end - self._row, np.int64)
        if newlines:
            breaks[here] = _line_breaks(batch)
            breaks[places] = [row.text.count("\n") for row in gone]
        ends = self._line + np.arange(len(breaks)) + np.cumsum(breaks)
        for row, place in zip(gone, places, strict=True):
            self._pass_on(row, int(ends[place] - breaks[place]))
        self._row, self._line = end, self._line + len(breaks) + int(breaks.sum())
        return (ends - breaks)[here]

    def finish(self) -> None:
        """Refuse the rows after the last batch."""
        for row in self._refused:
            self._pass_on(row, self._line)
            self._line += 1 + row.text.count("\n")

    def _pass_on(self, row: Any, line: int) -> None:
        cells = next(csv.reader([row.text], **self._dialect))
        if any(cells):
            self._pieces.refuse(line, wrong_width(row.actual_columns, self._width), cells)


def _line_breaks(frame: pl.DataFrame) -> pl.Series:
    counts = pl.all().str.count_matches("\n", literal=True).fill_null(0)
    return frame.select(pl.sum_horizontal(counts)).to_series()
