"""Find the row with the column names, and refuse to guess where it could be another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_high

from planhat_pipelines.files.formats.model import Unreadable
from planhat_pipelines.files.formats.pieces import checked_columns

Row = tuple[
    int, Sequence[str | None]
]  # line or sheet row, counted from 1, and its cells; "" and None are empty

SAMPLE_ROWS = 100
_DATA = re.compile(r"[-+]?[\d.,]*\d%?|\d{4}-\d\d-\d\d.*|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*")


@dataclass(frozen=True)
class Header:
    """The columns are the cells `first` to `first + len(columns)` of every row; `width` is the row's full width."""

    line: int
    last_line: int
    columns: tuple[str, ...]
    first: int
    width: int
    warnings: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The place after the last named cell."""
        return self.first + len(self.columns)


def find_header(sample: Sequence[Row], header_row: int | None, most: int, unit: str) -> Header:
    """The header of a table, of which `sample` holds the first rows that are not blank, from `header_row` on.

    Without a declared one it is the first row that fills more than half the width of what follows; rows above it
    are titles. Raises Unreadable when that row does not look like names, or names are missing or doubled.
    """
    if header_row and (not sample or sample[0][0] != header_row):
        raise Unreadable(f"header_row is {header_row}, but that {unit} is blank or not there")
    if not sample:
        raise Unreadable("the file holds no rows")
    index = 0 if header_row else title_rows(sample)
    line, cells = sample[index]
    where = f"{unit} {line:,}"
    names = [" ".join((cell or "").split()) for cell in cells]
    if not header_row:
        for place, name in enumerate(names, 1):
            if _DATA.fullmatch(name):
                raise Unreadable(
                    f"this is the first full row, but cell {place} is a number or date rather than a column name",
                    where=where,
                    cure="Give the file a row of column names, or set header_row",
                )
    after = sample[index + 1 :]
    first, end = _named(names, after)
    columns = checked_columns(names[first:end], most, where)
    _expect_a_row_that_fits(after, len(cells), end, where, exact=unit == "line")
    warnings = () if header_row or not index else (_skipped(sample[:index], where, unit),)
    last_line = line + sum((cell or "").count("\n") for cell in cells)
    return Header(line, last_line, tuple(columns), first, len(cells), warnings)


def filled(cells: Sequence[str | None]) -> int:
    """How many cells hold something."""
    return sum(1 for cell in cells if cell)


def title_rows(sample: Sequence[Row]) -> int:
    """How many rows at the top fill at most half of what follows them."""
    for index, (_, cells) in enumerate(sample):
        after = sample[index + 1 :]
        if not after or 2 * filled(cells) > median_high(filled(below) for _, below in after):
            return index
    return 0


def _named(names: Sequence[str], after: Sequence[Row]) -> tuple[int, int]:
    """The span of cells with names; nameless cells at the edges belong to no column as long as they are empty."""
    named = [place for place, name in enumerate(names) if name]
    if not named:
        return 0, len(names)
    first, end = named[0], named[-1] + 1
    for _, cells in after:
        if any(cells[:first]):
            first = 0
        if any(cells[end : len(names)]):
            end = len(names)
    return first, end


def _expect_a_row_that_fits(after: Sequence[Row], width: int, end: int, where: str, *, exact: bool) -> None:
    fits = [len(cells) == width if exact else not any(cells[end:]) for _, cells in after]
    if fits and not any(fits):
        raise Unreadable(
            f"this row names {end:,} columns, but none of the rows below has as many cells",
            where=where,
            cure="Set header_row and delimiter, or correct the row of names",
        )


def _skipped(titles: Sequence[Row], where: str, unit: str) -> str:
    lines = ", ".join(f"{line:,}" for line, _ in titles[:5])
    return f"the column names were found in {where}; above it {unit} {lines} was passed over as a title"
