"""Delimited text (CSV, TSV): find the delimiter and the header, then read in the fastest way that is exact."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice
from typing import Any

from planhat_pipelines.files.formats.csv_careful import careful_rows
from planhat_pipelines.files.formats.csv_fast import read_fast, survey
from planhat_pipelines.files.formats.header import SAMPLE_ROWS, Row, find_header, title_rows
from planhat_pipelines.files.formats.model import FileOptions, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces
from planhat_pipelines.files.formats.table import write_rows
from planhat_pipelines.files.formats.text import Text

_SAMPLE_BYTES = 64 * 1024
_DELIMITERS = (",", ";", "\t", "|")


def read_delimited(text: Text, pieces: Pieces, options: FileOptions, limits: Limits) -> dict[str, Any]:
    """Read the rows into pieces; the answer is what was found. Raises Unreadable where rows cannot be told
    from each other, as after an open quote."""
    quote = '"' if options.quote is None else options.quote
    delimiter = "\t" if options.format == "tsv" else options.delimiter
    for name, value in (("delimiter", delimiter), ("quote", quote)):
        if value and (len(value) != 1 or value in "\r\n"):
            raise Unreadable(f"the {name} is {value!r}, where one character was expected")
    warnings: tuple[str, ...] = ()
    if not delimiter:
        delimiter, warnings = _sniffed(text, quote)
    sample = _sample(text, delimiter, quote, limits, options.header_row)
    header = find_header(sample, options.header_row, limits.columns, "line")
    plain = delimiter.isascii() and quote.isascii()
    quoting = survey(text, delimiter, quote) if plain else None
    if quoting and quoting.exact:
        read_fast(text, delimiter, quote, header, quoting, pieces, limits)
    else:
        below = (row for row in careful_rows(text, delimiter, quote, limits, pieces) if row[0] > header.line)
        write_rows(below, header, pieces, exact=True)
    return {
        "format": "tsv" if delimiter == "\t" else "csv",
        "delimiter": delimiter,
        "header_row": header.line,
        "columns": header.columns,
        "warnings": (*warnings, *header.warnings),
    }


def _sample(text: Text, delimiter: str, quote: str, limits: Limits, header_row: int | None) -> list[Row]:
    """The rows that tell where the header is; those above a declared header are not looked at."""
    rows = careful_rows(text, delimiter, quote, limits, None)
    rows = (row for row in rows if any(row[1]) and row[0] >= (header_row or 0))
    return list(islice(rows, SAMPLE_ROWS))


def _sniffed(text: Text, quote: str) -> tuple[str, tuple[str, ...]]:
    """The delimiter that cuts the first 64 KB into the most regular table of two columns or more."""
    head = text.head(_SAMPLE_BYTES).decode(errors="ignore")
    lines = head.splitlines(keepends=True)
    if len(head.encode()) >= _SAMPLE_BYTES - 4 and len(lines) > 1:
        lines.pop()  # it may be cut
    scores = {
        delimiter: score
        for delimiter in _DELIMITERS
        if (score := _regularity(lines, delimiter, quote)) is not None
    }
    if not scores:
        return ",", ()
    best = max(scores, key=lambda delimiter: scores[delimiter])
    rivals = [other for other in scores if other != best and scores[other][:2] >= (0, 1.0)]
    if rivals:
        names = " or ".join(repr(rival) for rival in rivals)
        return best, (
            f"{best!r} was taken for the delimiter, but {names} fits too: set delimiter to be sure",
        )
    return best, ()


def _regularity(lines: list[str], delimiter: str, quote: str) -> tuple[int, float, int] | None:
    """How well a delimiter fits: titles above the table (fewer is better), share of rows of one width, width."""
    try:
        rows = [(number, row) for number, row in enumerate(_parsed(lines, delimiter, quote), 1) if any(row)]
    except csv.Error:
        return None
    if not rows:
        return None
    titles = title_rows(rows)
    widths = Counter(len(row) for _, row in rows[titles:])
    width, rows_of_it = widths.most_common(1)[0]
    if width < 2 or len(rows[titles][1]) != width:
        return None
    return -titles, rows_of_it / widths.total(), width


def _parsed(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    if quote:
        return list(csv.reader(lines, delimiter=delimiter, quotechar=quote))
    return list(csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE))
