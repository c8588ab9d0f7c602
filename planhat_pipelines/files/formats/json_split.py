"""Cut a JSON array into its objects while it streams by, so that its size does not matter."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator
from typing import Any, BinaryIO

import msgspec

from planhat_pipelines.files.formats.model import Limits, Unreadable
from planhat_pipelines.files.formats.text import Text
from planhat_pipelines.files.formats.unpack import CHUNK

Object = dict[str, Any]


Number = bytes
"""A number with a point or exponent, as it is written; a type of its own, and the fastest to make."""

Block = tuple[int, bytes, list[Object]]
"""The number of the first of some objects, the objects as they are written with commas between them, and decoded."""

decode_object = msgspec.json.Decoder(Object, float_hook=str.encode).decode
decode_objects = msgspec.json.Decoder(list[Object], float_hook=str.encode).decode
_LIKELY_END = re.compile(rb"\}\s*[,\]]")
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
BLOCK = 1 << 16  # bytes that are decoded at once; what comes of more does not stay in the cache
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+'
_MARKS = re.compile(
    _STRING + rb'(?:"|\\?\Z)|[{}\[\]]', re.DOTALL
)  # a string may be cut by the end of the buffer
_SCALAR = re.compile(_STRING + rb'"|[^\s,\]}"]+', re.DOTALL)
_BROKEN = "the JSON is not sound"


def array_objects(text: Text, records: str | None, limits: Limits) -> Generator[Block]:
    """The objects of the array, counted from 1; the array is the whole text, or the value of the top-level key
    `records`."""
    with text.opened() as file:
        stream = _Stream(file, limits)
        if records is None:
            stream.expect(b"[", "an array of objects")
            yield from _objects(stream)
        else:
            yield from _under_key(stream, records)
        if stream.peek():
            raise Unreadable(f"{_BROKEN}: there is text after its end", cure="Send one JSON value a file")


def _under_key(stream: _Stream, records: str) -> Generator[Block]:
    stream.expect(b"{", f"an object with the key {records!r}")
    seen = 0
    while stream.peek() != b"}":
        if stream.peek() != b'"':
            raise Unreadable(_BROKEN, cure="Send it again; it may be cut off")
        key = stream.value()
        stream.expect(b":", "a colon after a key")
        if key != records:
            stream.value()
        else:
            seen += 1
            stream.expect(b"[", f"an array under {records!r}")
            yield from _objects(stream)
        if stream.peek() == b",":
            stream.expect(b",", "")
    stream.expect(b"}", "")
    if seen != 1:
        raise Unreadable(
            f"the JSON object has the key {records!r} {seen} times, where one was expected",
            cure="Set records: to the key under which the rows lie",
        )


def _objects(stream: _Stream) -> Generator[Block]:
    """The objects up to the closing bracket, which is taken too."""
    last = 0
    if stream.peek() == b"]":
        stream.expect(b"]", "")
        return
    while True:
        first = last = last + 1
        try:
            if stream.peek() != b"{":
                raise Unreadable("it is not an object", cure="Send an array of objects")
            raw, found = stream.objects()
            last += len(found) - 1
            mark = stream.peek()
            stream.expect(b"]" if mark == b"]" else b",", "a comma or the end of the array")
        except Unreadable as error:
            raise placed(error, f"record {last:,}") from None
        yield first, raw, found
        if mark == b"]":
            return


class _Stream:
    """A window on the text; what has been taken is let go."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._buffer, self._at = b"", 0
        self._alone = 0  # up to here objects are taken one by one

    def peek(self) -> bytes:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._buffer[self._at : self._at + 1] in (b" ", b"\n", b"\r", b"\t"):
                self._at += 1
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def expect(self, mark: bytes, what: str) -> None:
        """Take one character."""
        if (found := self.peek()) != mark:
            wrong = "it ends too early" if not found else f"{what} was expected"
            raise Unreadable(f"{_BROKEN}: {wrong}", cure="Send it again; it may be cut off")
        self._at += 1

    def objects(self) -> tuple[bytes, list[Object]]:
        """Take as many objects as the window holds, or one where they need a closer look. What decodes was cut right,
        as for one."""
        if self._at >= self._alone:
            if len(self._buffer) - self._at < BLOCK:
                self._more()
            cuts = _BETWEEN.finditer(self._buffer, self._at)
            if last := next(iter(deque(cuts, maxlen=1)), None):
                end = last.start() + 1
                raw = self._buffer[self._at : end]
                try:
                    found = decode_objects(b"[%b]" % raw)
                except (msgspec.DecodeError, RecursionError):
                    self._alone = end
                else:
                    self._at = end
                    return raw, found
        raw, one = self._object()
        return raw, [one]

    def _object(self) -> tuple[bytes, Object]:
        """Take an object. Where it seems to end is tried first: an object that decodes is never the beginning
        of a longer one, so what decodes was cut right."""
        if likely := _LIKELY_END.search(self._buffer, self._at):
            raw = self._buffer[self._at : likely.start() + 1]
            try:
                found = decode_object(raw)
            except (msgspec.DecodeError, RecursionError):
                pass
            else:
                self._at = likely.start() + 1
                return raw, found
        raw = self._nested()
        return raw, decoded(raw)

    def value(self) -> object:
        """Take any value; one that is not sound is refused."""
        if self.peek() in (b"{", b"["):
            raw = self._nested()
        else:
            while (match := _SCALAR.match(self._buffer, self._at)) is None or match.end() == len(
                self._buffer
            ):
                self._grow()
            raw = match.group()
            self._at = match.end()
        try:
            return msgspec.json.decode(raw)
        except msgspec.DecodeError:
            raise Unreadable(f"{_BROKEN}: a value beside the rows is broken") from None

    def _nested(self) -> bytes:
        """Take an object or array by counting its brackets."""
        while True:
            depth = 0
            for match in _MARKS.finditer(self._buffer, self._at):
                mark = match.group()
                if mark in (b"{", b"["):
                    depth += 1
                    if depth > self._limits.depth:
                        raise too_deep(self._limits)
                elif mark in (b"}", b"]"):
                    depth -= 1
                    if depth == 0:
                        raw = self._buffer[self._at : match.end()]
                        self._at = match.end()
                        return raw
            self._grow()

    def _grow(self) -> None:
        if len(self._buffer) - self._at > self._limits.line_bytes:
            raise Unreadable(f"it is longer than {self._limits.line_bytes:,} bytes")
        if not self._more(CHUNK):
            raise Unreadable(f"{_BROKEN}: it ends too early", cure="Send it again; it may be cut off")

    def _more(self, size: int = BLOCK) -> bool:
        chunk = self._file.read(size)
        self._buffer = self._buffer[self._at :] + chunk
        self._alone -= self._at
        self._at = 0
        return bool(chunk)


def decoded(raw: bytes) -> Object:
    """One object; Unreadable when it is not sound JSON, or not an object."""
    try:
        return decode_object(raw)
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            raise too_long() from None
        raise Unreadable("it is not an object", cure="Send one object a row") from None
    except RecursionError:
        raise Unreadable("its values are nested too deeply") from None
    except msgspec.DecodeError as error:
        raise Unreadable(f"{_BROKEN} ({_why(raw, error)})", cure=_cure(raw)) from None


def placed(error: Unreadable, where: str) -> Unreadable:
    """The same refusal, with its place; told apart from raising it so that sound rows pay nothing for it."""
    return Unreadable(error.what, where=where, cure=error.cure)


def too_deep(limits: Limits) -> Unreadable:
    """The refusal of values nested beyond the bound."""
    return Unreadable(f"its values are nested more than {limits.depth} deep")


def too_long() -> Unreadable:
    """The refusal of a number with absurdly many digits."""
    return Unreadable("it holds a number with too many digits", cure="Send it as text")


def _why(raw: bytes, error: msgspec.DecodeError) -> str:
    if re.search(rb"\\u[dD][89a-fA-F]", raw):
        return "half of a surrogate pair"
    return str(error).removeprefix("JSON is malformed: ")


def _cure(raw: bytes) -> str:
    if re.search(rb"[:\[,]\s*-?(NaN|Infinity)\b", raw):
        return "NaN and Infinity are no JSON; write null"
    return "Send an array of objects, or one object a line; for rows under a key set records: to it"
