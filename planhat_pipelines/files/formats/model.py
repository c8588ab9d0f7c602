"""What may be said of a file before it is read, what is found in it, and why it could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["csv", "tsv", "xlsx", "xls", "json", "ndjson"]
MB = 1_000_000
LINE = "__line"  # the column of every piece that says where in the file a row stood


@dataclass(frozen=True)
class FileOptions:
    """What the sender says of the file. Everything left out is found from the content.

    encoding: a Python codec name, for files that are neither UTF-8 nor carry a byte order mark.
    header_row: line (text) or sheet row that holds the column names, counted from 1.
    sheet: name of the sheet; else the first visible one.
    records: the key of a JSON object under which its array of rows lies, such as "data".
    """

    format: Format | None = None
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header_row: int | None = None
    sheet: str | None = None
    records: str | None = None


@dataclass(frozen=True)
class Limits:
    """Bounds of one file; whatever goes beyond is refused by name. Sizes in bytes, times in seconds."""

    file_bytes: int = 1_000 * MB
    unpacked_bytes: int = 2_000 * MB
    line_bytes: int = 2 * MB  # a row of text or of a sheet, or one object of JSON; memory grows with it
    field_bytes: int = 1 * MB
    columns: int = 1_000
    depth: int = 64
    digits: int = 400
    memory_bytes: int = 3_000 * MB  # of addresses, 800 MB of which the parsers take before they begin
    cpu_seconds: int = 900
    wall_seconds: int = 1_800


@dataclass(frozen=True)
class Reading:
    """What was found in a file and where its rows are now.

    pieces: Parquet files of at most 100,000 rows each, in the order of the file; "__line" (Int64) is the line,
    sheet row or array position of the row, counted from 1; every other column is text, null where the file
    holds nothing.
    refused: how many rows could not be read; `refused_pieces` are Parquet files of "__line", "reason" and "cells"
    (a list of text, as found).
    numeric: columns of a workbook that hold numbers or dates, so that zeros in front are gone unless the cells'
    format shows them: worth a look when one of them is a key.
    """

    format: Format
    columns: tuple[str, ...]
    rows: int
    refused: int
    pieces: tuple[Path, ...]
    refused_pieces: tuple[Path, ...]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    numeric: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Unreadable(Exception):
    """The file as a whole cannot be read; the message says what, where and what to do, for its sender.

    It never quotes a value of the file, only places and column names.
    """

    def __init__(self, what: str, *, where: str | None = None, cure: str | None = None) -> None:
        self.what, self.where, self.cure = what, where, cure
        place = f"{where}: " if where else ""
        super().__init__(f"{place}{what}." + (f" {cure}." if cure else ""))

    def __reduce__(self) -> tuple[object, ...]:
        return _unreadable, (self.what, self.where, self.cure)


def _unreadable(what: str, where: str | None, cure: str | None) -> Unreadable:
    return Unreadable(what, where=where, cure=cure)
