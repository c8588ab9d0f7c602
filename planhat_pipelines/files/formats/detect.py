"""Tell a file's format by its content, and name those that are not read."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Literal

from planhat_pipelines.files.formats.model import FileOptions, Format, Limits, Unreadable
from planhat_pipelines.files.formats.text import Text
from planhat_pipelines.files.formats.unpack import ZIP, opened

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE_AS = "Open it and save it as .xlsx or CSV"
_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"BZh", "compressed with bzip2; gzip and zip are read"),
    (b"\xfd7zXZ", "compressed with xz; gzip and zip are read"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; gzip and zip are read"),
    (b"7z\xbc\xaf", "a 7-Zip archive; gzip and zip are read"),
    (b"Rar!", "a RAR archive; gzip and zip are read"),
    (b"\x1f\x8b", "packed twice; one layer is taken off"),
)
_MARKUP = re.compile(rb"\s*<(\?xml|!doctype|html|table|head|body|meta|div)\b", re.IGNORECASE)
_HEAD = 64 * 1024


def binary_format(path: Path, options: FileOptions) -> Literal["xlsx", "xls"] | None:
    """ "xlsx" or "xls" for a workbook, whatever its name, None for what may be text; else Unreadable."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            raise Unreadable(f"the file is {name}", cure="Send CSV, TSV, JSON or Excel")
    kind: Literal["xlsx", "xls"] | None = None
    if head.startswith(ZIP):
        kind = _package(path)
    elif head == _OLE:
        kind = _compound(path)
    if kind and options.format not in (None, "xlsx", "xls"):
        raise Unreadable(f"the file is an Excel workbook, but its format is set to {options.format}")
    return kind


def text_format(text: Text, options: FileOptions, limits: Limits) -> Format:
    """The format of a text: as declared, else by how it begins."""
    head = text.head(_HEAD)
    if _MARKUP.match(head):
        raise Unreadable("the file is HTML or XML, whatever its name says", cure=_SAVE_AS)
    if options.format in ("xlsx", "xls"):
        raise Unreadable(f"the format is set to {options.format}, but the file is not an Excel workbook")
    if options.format:
        return options.format
    begins = head.lstrip()[:1]
    if begins == b"[" or (begins == b"{" and options.records):
        return "json"
    if begins == b"{":
        return "ndjson"
    return "csv"


def _package(path: Path) -> Literal["xlsx"]:
    with opened(path) as archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            return "xlsx"
        if "xl/workbook.bin" in names:
            raise Unreadable("the file is a binary workbook (.xlsb)", cure=_SAVE_AS)
        if "mimetype" in names:
            raise Unreadable("the file is an OpenDocument file (.ods)", cure=_SAVE_AS)
        raise Unreadable("the file is an Office document, but not an Excel workbook", cure=_SAVE_AS)


def _compound(path: Path) -> Literal["xls"]:
    """An OLE file: a locked workbook of any age, an old workbook, or another document."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise Unreadable("the workbook is locked with a password", cure="Save it without one")
        if content.find("Workbook".encode("utf-16-le")) >= 0 or content.find("Book".encode("utf-16-le")) >= 0:
            return "xls"
    raise Unreadable("the file is an old Office document, but not an Excel workbook", cure=_SAVE_AS)
