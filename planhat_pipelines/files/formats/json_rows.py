"""JSON objects as rows: an array of objects, one object a line, or an array under a key of an object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Literal

import msgspec

from planhat_pipelines.files.formats.json_split import (
    BLOCK,
    Block,
    Object,
    array_objects,
    decode_objects,
    decoded,
    placed,
)
from planhat_pipelines.files.formats.json_text import Texted, Texts, split
from planhat_pipelines.files.formats.model import FileOptions, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces, checked_columns
from planhat_pipelines.files.formats.text import Text

_BATCH_BYTES, _BATCH_ROWS = 1_000_000, 5_000
_LIST_OF_OBJECTS = re.compile(r"\[\s*\{")


def read_json(
    text: Text, kind: Literal["json", "ndjson"], pieces: Pieces, options: FileOptions, limits: Limits
) -> list[str]:
    """The columns found; their rows go into `pieces`. Every object is a row, every top-level key a column, in
    the order in which the keys are first seen.

    Numbers stay as they are written (1.10, an id of 30 digits); objects and arrays stay JSON text. Raises
    Unreadable at the first object that is not sound: what follows it cannot be trusted to be rows.
    """
    rows = _Rows(pieces, limits, "record" if kind == "json" else "line")
    rows.take(array_objects(text, options.records, limits) if kind == "json" else _lines(text, limits))
    if rows.taken == 1 and rows.lists and kind == "ndjson" and options.format is None:
        keys = " or ".join(sorted(rows.lists))
        raise Unreadable(
            "the file is one JSON object that holds lists of objects",
            cure=f"Set records: to the key of the rows ({keys}), or format: ndjson if the object is the row",
        )
    return list(rows.columns)


def _lines(text: Text, limits: Limits) -> Iterator[Block]:
    """Lines without a blank one between them come together, the others one by one."""
    number = 1
    with text.opened() as file:
        while chunk := file.read(BLOCK):
            if not chunk.endswith(b"\n"):
                chunk += file.readline(limits.line_bytes + 1)
            lines = chunk.removesuffix(b"\n").split(b"\n")
            if block := _decoded_at_once(lines, limits):
                yield number, *block
            else:
                yield from _one_by_one(number, lines, limits)
            number += len(lines)


def _decoded_at_once(lines: list[bytes], limits: Limits) -> tuple[bytes, list[Object]] | None:
    """As an array, where each line is an object: the line ends stay in it, as no text may hold one."""
    if max(map(len, lines)) > limits.line_bytes:
        return None
    raw = b"\n,".join(lines)
    try:
        found = decode_objects(b"[%b]" % raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return (raw, found) if len(found) == len(lines) else None


def _one_by_one(number: int, lines: list[bytes], limits: Limits) -> Iterator[Block]:
    for at, line in enumerate(lines, number):
        if len(line) > limits.line_bytes:
            raise Unreadable(f"it is longer than {limits.line_bytes:,} bytes", where=f"line {at:,}")
        if line := line.strip():
            try:
                found = decoded(line)
            except Unreadable as error:
                raise placed(error, f"line {at:,}") from None
            yield at, line, [found]


class _Rows:
    """Objects into columns, batch by batch."""

    def __init__(self, pieces: Pieces, limits: Limits, unit: str) -> None:
        self._pieces, self._limits, self._unit = pieces, limits, unit
        self._texts = Texts(limits)
        self.columns: dict[str, None] = {}
        self.taken = 0
        self._numbers, self._batch, self._size = list[int](), list[Texted](), 0
        self.lists: list[str] = []  # keys under which the first row holds a list of objects

    def take(self, blocks: Iterable[Block]) -> None:
        """Write all rows. The number that comes with an object is its line, or its place in the array."""
        for first, raw, found in blocks:
            if len(found) > 1 and (columns := self._plain(raw, found)):
                self._flush()
                self._write(range(first, first + len(found)), columns)
                continue
            exact = [raw] if len(found) == 1 else split(b"[%b]" % raw)
            for number, written, each in zip(count(first), exact, found, strict=False):
                self._add(number, bytes(written), each)
        self._flush()

    def _plain(self, raw: bytes, found: list[Object]) -> dict[str, list[str | None]] | None:
        try:
            return self._texts.columns(raw, found)
        except Unreadable:
            return None  # it is told which object it is when they are looked at one by one

    def _add(self, number: int, raw: bytes, found: Object) -> None:
        try:
            row = self._texts.of(raw, found)
        except Unreadable as error:
            raise placed(error, f"{self._unit} {number:,}") from None
        if not self.taken and not self._batch:
            self.lists = [key for key, text in row.items() if text and _LIST_OF_OBJECTS.match(text)]
        self._numbers.append(number)
        self._batch.append(row)
        self._size += len(raw)
        if self._size >= _BATCH_BYTES or len(self._numbers) >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            names = dict.fromkeys(chain.from_iterable(self._batch))
            self._write(self._numbers, {name: [row.get(name) for row in self._batch] for name in names})
        self._numbers, self._batch, self._size = [], [], 0

    def _write(self, numbers: Sequence[int], columns: dict[str, list[str | None]]) -> None:
        self.columns |= dict.fromkeys(columns)
        checked_columns(list(self.columns), self._limits.columns, f"up to {self._unit} {numbers[-1]:,}")
        self._pieces.add(numbers, columns)
        self.taken += len(numbers)
