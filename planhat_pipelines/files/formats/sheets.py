"""Workbooks: choose the sheet, find its header, and say what was met on the way."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from planhat_pipelines.files.formats.cells import Notes
from planhat_pipelines.files.formats.header import SAMPLE_ROWS, Header, Row, find_header
from planhat_pipelines.files.formats.model import FileOptions, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces
from planhat_pipelines.files.formats.table import write_rows


class _Page(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def visible(self) -> bool: ...


_P = TypeVar("_P", bound=_Page)


def read_workbook(
    path: Path, kind: Literal["xlsx", "xls"], pieces: Pieces, options: FileOptions, limits: Limits
) -> dict[str, Any]:
    """Read one sheet into pieces; the answer is what was found."""
    notes = Notes()
    if kind == "xls":
        from planhat_pipelines.files.formats.xls import open_old_book

        with open_old_book(path) as old:
            page, others = _chosen(old.sheets, options.sheet)
            header = _read(old.rows(page, notes, limits), pieces, options, limits)
    else:
        from planhat_pipelines.files.formats.xlsx_book import open_book

        with open_book(path, limits) as book:
            page, others = _chosen(book.sheets, options.sheet)
            header = _read(_xlsx_rows(path, book, page, notes, limits), pieces, options, limits)
    return {
        "sheet": page.name,
        "header_row": header.line,
        "columns": header.columns,
        "numeric": _names(notes.numeric, header),
        "warnings": (*others, *header.warnings, *_warnings(notes, header)),
    }


def _xlsx_rows(path: Path, book: Any, sheet: Any, notes: Notes, limits: Limits) -> Generator[Row]:
    """The fast reader as far as it goes, and the careful one from there."""
    from planhat_pipelines.files.formats.xlsx_careful import careful_rows
    from planhat_pipelines.files.formats.xlsx_fast import NotPlain, fast_rows

    last = 0
    try:
        with book.part(sheet.part) as file:
            for row in fast_rows(file, book.looks(), book.strings(), book.epoch, notes, limits):
                yield row
                last = row[0]
    except NotPlain:
        for row in careful_rows(path, sheet.name, book.epoch, notes, limits):
            if row[0] > last:
                yield row


def _read(rows: Iterator[Row], pieces: Pieces, options: FileOptions, limits: Limits) -> Header:
    wanted = (row for row in rows if row[0] >= (options.header_row or 0) and any(row[1]))
    sample = list(islice(wanted, SAMPLE_ROWS))
    header = find_header(sample, options.header_row, limits.columns, "row")
    write_rows(chain((row for row in sample if row[0] > header.line), wanted), header, pieces, exact=False)
    return header


def _chosen(pages: Sequence[_P], name: str | None) -> tuple[_P, tuple[str, ...]]:
    """The named sheet, or the first that a person sees, and a word on those that are left out."""
    if name is not None:
        for page in pages:
            if page.name == name:
                return page, ()
        names = ", ".join(repr(page.name) for page in pages[:20])
        raise Unreadable(f"the workbook has no sheet {name!r}", cure=f"Set sheet to one of {names}")
    visible = [page for page in pages if page.visible]
    if not visible:
        raise Unreadable("the workbook has no visible sheet", cure="Set sheet to the name of the one to read")
    others = ", ".join(repr(page.name) for page in visible[1:20])
    warning = f"sheet {visible[0].name!r} was read; {others} was not, as one sheet is read of each file"
    return visible[0], (warning,) if others else ()


def _warnings(notes: Notes, header: Header) -> list[str]:
    told: list[str] = []
    if notes.errors:
        told.append(f"{notes.errors:,} cells hold an error, such as #N/A, which was kept as text")
    if notes.uncalculated:
        told.append(
            f"{notes.uncalculated:,} formulas were never calculated and are read as empty: open the file in Excel "
            "and save it"
        )
    if notes.hidden_rows:
        told.append(f"{notes.hidden_rows:,} hidden rows were read like all others")
    if names := _names(notes.shortened, header):
        columns = ", ".join(repr(name) for name in names)
        told.append(
            f"{columns}: numbers of 16 digits and more, of which Excel keeps 15: format the column as text before "
            "the numbers go in"
        )
    return told


def _names(places: set[int], header: Header) -> list[str]:
    return [name for place, name in enumerate(header.columns, header.first) if place in places]
