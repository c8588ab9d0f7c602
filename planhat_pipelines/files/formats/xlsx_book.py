"""An XLSX or XLSM workbook without its cells: its sheets, formats and shared strings, from a zip that is checked."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO
from xml.etree import ElementTree  # expat bounds what entities may grow to, and a DOCTYPE is refused before

from planhat_pipelines.files.formats.cells import Look, look, unescaped
from planhat_pipelines.files.formats.model import MB, Limits, Unreadable
from planhat_pipelines.files.formats.unpack import BROKEN, CHUNK, opened

_MOST_MEMBERS = 10_000
_PART_BYTES = 50 * MB  # of a workbook's description and styles; real ones have some kilobytes
_PLAIN_STRING = re.compile(rb"<si>(?:<t(?: xml:space=\"preserve\")?>([^<]*)</t>|<t ?/>)\s*</si>")
_DAMAGED = "the workbook is damaged"
_CURE = "Open it and save it again"


@dataclass(frozen=True)
class Sheet:
    """A worksheet: its name, its part in the zip, and whether a person sees it."""

    name: str
    part: str
    visible: bool


class Book:
    """What is needed to read any sheet of the workbook."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.archive, self._limits = archive, limits
        _check(archive, limits)
        workbook = self._tree("xl/workbook.xml")
        relations = {
            relation.get("Id", ""): relation for relation in self._tree("xl/_rels/workbook.xml.rels")
        }
        self.sheets = [
            Sheet(
                sheet.get("name", ""),
                posixpath.normpath(posixpath.join("/xl", relation.get("Target", "")))[1:],
                sheet.get("state", "visible") == "visible",
            )
            for sheet in _all(workbook, "sheet")
            if (relation := relations.get(_relation_id(sheet))) is not None
            and relation.get("Type", "").endswith("/worksheet")
        ]
        mac = any(part.get("date1904") in ("1", "true") for part in _all(workbook, "workbookPr"))
        self.epoch = datetime(1904, 1, 1) if mac else datetime(1899, 12, 30)  # noqa: DTZ001  (sheets know no zone)

    def looks(self) -> list[Look]:
        """The look of each cell style, by its index."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS

        if "xl/styles.xml" not in self.archive.namelist():
            return []
        styles = self._tree("xl/styles.xml")
        own = {part.get("numFmtId", ""): part.get("formatCode", "") for part in _all(styles, "numFmt")}
        codes: list[str] = []
        for table in _all(styles, "cellXfs"):
            for style in table:
                number = style.get("numFmtId", "0")
                codes.append(own.get(number) or str(BUILTIN_FORMATS.get(int(number), "General")))
        return [look(code) for code in codes]

    def strings(self) -> list[str]:
        """The shared strings. Rich text loses its looks, and phonetic hints are left out."""
        if "xl/sharedStrings.xml" not in self.archive.namelist():
            return []
        name = "xl/sharedStrings.xml"
        with self.part(name) as file:
            strings = _plain_strings(file, self._limits)
        if strings is None:
            with self.part(name) as file:
                strings = _any_strings(file)
        if max(map(len, strings), default=0) > self._limits.field_bytes:
            raise Unreadable(f"a cell is longer than {self._limits.field_bytes:,} characters")
        return strings

    @contextmanager
    def part(self, name: str) -> Generator[IO[bytes]]:
        """A part of the workbook to read from."""
        try:
            with self.archive.open(name) as file:
                yield file
        except (KeyError, NotImplementedError, ElementTree.ParseError, *BROKEN):
            raise Unreadable(f"{_DAMAGED}: {name} is missing or broken", cure=_CURE) from None

    def _tree(self, name: str) -> ElementTree.Element:
        with self.part(name) as file:
            content = file.read(_PART_BYTES)
            return ElementTree.fromstring(content)  # noqa: S314


@contextmanager
def open_book(path: Path, limits: Limits) -> Generator[Book]:
    """The workbook at `path`. Raises Unreadable when it is locked, damaged, or larger than is read."""
    with opened(path) as archive:
        yield Book(archive, limits)


def blocks(file: IO[bytes], end: bytes, last: bytes, most: int) -> Generator[bytes]:
    """A part in pieces that each end after `end`, up to the first `last`, which is not looked beyond."""
    rest = b""
    while chunk := file.read(CHUNK):
        seen = max(0, len(rest) - len(last))
        rest += chunk
        if (stop := rest.find(last, seen)) >= 0:
            yield rest[: stop + len(last)]
            return
        if cut := rest.rfind(end) + 1:
            yield rest[: cut + len(end) - 1]
            rest = rest[cut + len(end) - 1 :]
        elif len(rest) > most:
            raise Unreadable(f"a row or text of the workbook is longer than {most:,} bytes", cure=_CURE)
    yield rest


_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def text_of(raw: bytes) -> str:
    """The text that an XML parser would make of character data, with Excel's own escapes."""
    text = raw.decode()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text:
        text = _ENTITY.sub(
            lambda f: _NAMED[f[1]] if f[1] else chr(int(f[2]) if f[2] else int(f[3], 16)), text
        )
    return unescaped(text)


def _plain_strings(file: IO[bytes], limits: Limits) -> list[str] | None:
    """The strings, if each is one text without looks of its own."""
    strings: list[str] = []
    for block in blocks(file, b"</si>", b"</sst>", limits.line_bytes):
        found = _PLAIN_STRING.findall(block)
        if len(found) != block.count(b"<si") or b"<!" in block:
            return None
        strings += [text_of(raw) for raw in found]
    return strings


def _any_strings(file: IO[bytes]) -> list[str]:
    strings: list[str] = []
    for _, element in ElementTree.iterparse(file):  # noqa: S314
        if _local(element) == "si":
            texts = [
                part.text or ""
                for child in element
                if _local(child) != "rPh"
                for part in ([child] if _local(child) == "t" else _all(child, "t"))
            ]
            strings.append(unescaped("".join(texts)))
            element.clear()
    return strings


def _check(archive: zipfile.ZipFile, limits: Limits) -> None:
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(members) > _MOST_MEMBERS or len(names) < len(members):
        raise Unreadable(f"{_DAMAGED}: its zip directory has too many entries, or one twice", cure=_CURE)
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable("the workbook is locked with a password", cure="Save it without one")
    if sum(member.file_size for member in members) > limits.unpacked_bytes:
        raise Unreadable(
            f"the workbook unpacks to more than {limits.unpacked_bytes:,} bytes",
            cure="Send it as CSV, or in parts",
        )
    for member in members:
        if member.filename.endswith((".xml", ".rels")):
            try:
                with archive.open(member) as file:
                    head = file.read(4096).replace(b"\0", b"")
            except (NotImplementedError, *BROKEN):
                raise Unreadable(f"{_DAMAGED}: {member.filename!r} cannot be unpacked", cure=_CURE) from None
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                raise Unreadable(
                    "the workbook defines XML entities, which no spreadsheet program does", cure=_CURE
                )


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(tree: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in tree.iter() if _local(element) == name]


def _relation_id(sheet: ElementTree.Element) -> str:
    return next((value for key, value in sheet.items() if key.endswith("}id")), "")
