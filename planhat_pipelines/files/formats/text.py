"""Any text file as UTF-8 without a byte order mark, or a refusal that names the line."""

from __future__ import annotations

import codecs
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from planhat_pipelines.files.formats.model import Limits, Unreadable
from planhat_pipelines.files.formats.unpack import CHUNK

_MARKS = (  # the longest first: the mark of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Text:
    """UTF-8 text in `path` from byte `start`; `encoding` is what the file was sent in."""

    path: Path
    start: int
    encoding: str

    @contextmanager
    def opened(self, offset: int = 0) -> Generator[BinaryIO]:
        """The text as bytes, from `offset` on."""
        with self.path.open("rb") as file:
            file.seek(self.start + offset)
            yield file

    def head(self, size: int) -> bytes:
        """The first bytes of the text."""
        with self.opened() as file:
            return file.read(size)


def as_text(path: Path, folder: Path, encoding: str | None, limits: Limits) -> Text:
    """A byte order mark decides; else UTF-8 where the file is valid UTF-8; else the declared encoding.

    UTF-8 comes before the declared encoding, as almost nothing else is valid UTF-8 by chance; UTF-16 and UTF-32
    declared are believed. Nothing is guessed.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise Unreadable("the file is empty")
    for mark, name in _MARKS:
        if head.startswith(mark):
            return _checked(path, folder, name, len(mark), limits)
    declared = _codec(encoding) if encoding else None
    if declared is None or declared.startswith(("utf-16", "utf-32")):
        return _checked(path, folder, declared or "utf-8", 0, limits)
    try:
        return _checked(path, folder, "utf-8", 0, limits)
    except _NotInThis as error:
        if declared == "utf-8":
            raise error
        return _checked(path, folder, declared, 0, limits)


class _NotInThis(Unreadable):
    """The bytes are not in the encoding tried."""


def _checked(path: Path, folder: Path, encoding: str, start: int, limits: Limits) -> Text:
    """Decode the whole file once, strictly; write it out anew only where it was not UTF-8."""
    if encoding == "utf-8":
        for offset, chunk in _decoded(path, encoding, start):
            _refuse_nul(chunk, path, offset)
        return Text(path, start, encoding)
    target, written = folder / "text", 0
    with target.open("wb") as file:
        for offset, chunk in _decoded(path, encoding, start):
            _refuse_nul(chunk, path, offset)
            written += file.write(chunk)
            if written > limits.unpacked_bytes:
                raise Unreadable(f"the file holds more than {limits.unpacked_bytes:,} bytes of text")
    return Text(target, 0, encoding)


def _decoded(path: Path, encoding: str, start: int) -> Generator[tuple[int, bytes]]:
    """Pieces of the file as UTF-8, each with the offset it has in the file."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, plain = start, encoding == "utf-8"
    clean = True  # no character is cut between this chunk and the last
    with path.open("rb") as file:
        file.seek(start)
        while True:
            chunk = file.read(CHUNK)
            if not (plain and clean and chunk.isascii()):
                try:
                    text = decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as error:
                    raise _undecodable(path, encoding, offset + max(error.start, 0)) from None
                clean = not decoder.getstate()[0]
                yield offset, chunk if plain else text.encode()
            else:
                yield offset, chunk
            if not chunk:
                return
            offset += len(chunk)


def _undecodable(path: Path, encoding: str, offset: int) -> _NotInThis:
    cure = "Save it as UTF-8"
    if encoding == "utf-8":
        cure += ", or set encoding to the one it is in, such as cp1252"
    return _NotInThis(f"the text is not valid {encoding.upper()}", where=_line_of(path, offset), cure=cure)


def _refuse_nul(chunk: bytes, path: Path, offset: int) -> None:
    if (place := chunk.find(b"\0")) >= 0:
        raise Unreadable(
            "the file holds a NUL character, so it is not a text file this reader knows",
            where=_line_of(path, offset + place),
            cure="Send CSV, TSV, JSON or Excel; for UTF-16 without a byte order mark set encoding: utf-16-le",
        )


def _line_of(path: Path, offset: int) -> str:
    lines = 1
    with path.open("rb") as file:
        while offset > 0 and (chunk := file.read(min(CHUNK, offset))):
            lines += chunk.count(b"\n")
            offset -= len(chunk)
    return f"line {lines:,}"


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise Unreadable(
            f"no encoding is called {name!r}", cure="Use a name Python knows, such as utf-8, cp1252 or utf-16"
        ) from None
