"""JSON objects as rows: an array of objects, one object a line, or an array under a key of an object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from planhat_pipelines.files.formats.json_split import Object, array_objects, decode_object, decoded, too_deep
from planhat_pipelines.files.formats.model import FileOptions, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces, checked_columns
from planhat_pipelines.files.formats.text import Text

_BATCH_BYTES, _BATCH_ROWS = 4_000_000, 20_000
_QUOTE, _BRACE, _BRACKET = b'"{['
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_Numbered = tuple[int, bytes, Object]


def read_json(
    text: Text, kind: Literal["json", "ndjson"], pieces: Pieces, options: FileOptions, limits: Limits
) -> list[str]:
    """The columns found; their rows go into `pieces`. Every object is a row, every top-level key a column, in
    the order in which the keys are first seen.

    Numbers stay as they are written (1.10, an id of 30 digits); objects and arrays stay JSON text. Raises
    Unreadable at the first object that is not sound: what follows it cannot be trusted to be rows.
    """
    if kind == "json":
        objects = array_objects(text, options.records, limits)
        rows = _Rows(pieces, limits, "record")
        rows.take((number, *found) for number, found in enumerate(objects, 1))
        return list(rows.columns)
    rows = _Rows(pieces, limits, "line")
    rows.take(_lines(text, limits))
    if rows.taken == 1 and rows.lists and options.format is None:
        keys = " or ".join(sorted(rows.lists))
        raise Unreadable(
            "the file is one JSON object that holds lists of objects",
            cure=f"Set records: to the key of the rows ({keys}), or format: ndjson if the object is the row",
        )
    return list(rows.columns)


def _lines(text: Text, limits: Limits) -> Iterator[_Numbered]:
    number = 0
    with text.opened() as file:
        while line := file.readline(limits.line_bytes + 1):
            number += 1
            if len(line) > limits.line_bytes:
                raise Unreadable(f"it is longer than {limits.line_bytes:,} bytes", where=f"line {number:,}")
            if line := line.strip():
                yield number, line, decoded(line, f"line {number:,}")


class _Rows:
    """Objects into columns, batch by batch."""

    def __init__(self, pieces: Pieces, limits: Limits, unit: str) -> None:
        self._pieces, self._limits, self._unit = pieces, limits, unit
        self.columns: dict[str, None] = {}
        self._sizes: dict[str, int] = {}  # of the keys at any depth, in bytes
        self._sound: set[tuple[int, int]] = set()
        self.taken = 0
        self.lists: set[str] = set()  # keys under which a list of objects was seen in the first row

    def take(self, objects: Iterable[_Numbered]) -> None:
        """Write all rows. The number that comes with an object is its line, or its place in the array."""
        lines: list[int] = []
        batch: list[dict[str, str | None]] = []
        size = 0
        for number, raw, found in objects:
            where = f"{self._unit} {number:,}"
            batch.append(self._row(raw, found, where))
            lines.append(number)
            size += len(raw)
            if size >= _BATCH_BYTES or len(lines) >= _BATCH_ROWS:
                self._write(lines, batch, where)
                lines, batch, size = [], [], 0
        self._write(lines, batch, self._unit)

    def _write(self, lines: list[int], batch: list[dict[str, str | None]], where: str) -> None:
        checked_columns(list(self.columns), self._limits.columns, f"up to {where}")
        self._pieces.add(lines, {name: [row.get(name) for row in batch] for name in self.columns})
        self.taken += len(lines)

    def _row(self, raw: bytes, found: Object, where: str) -> dict[str, str | None]:
        self._each_key_once(raw, found, where)
        row: dict[str, str | None] = {}
        for key, value in found.items():
            if key not in self.columns:
                self.columns[key] = None
            row[key] = self._text(key, bytes(value), where)
        return row

    def _text(self, key: str, raw: bytes, where: str) -> str | None:
        begins = raw[0]
        if len(raw) > self._limits.field_bytes:
            raise Unreadable(f"{key!r} is longer than {self._limits.field_bytes:,} bytes", where=where)
        if begins == _QUOTE:
            if b"\\" not in raw:
                return raw[1:-1].decode()
            if "\0" in (text := _decode_text(raw)):
                raise Unreadable(f"{key!r} holds a NUL character", where=where, cure="Leave it out")
            return text
        if raw == b"null":
            return None
        self._check(key, raw, 1, where)
        if begins == _BRACKET and not self.taken and raw[1:].lstrip().startswith(b"{"):
            self.lists.add(key)
        return raw.decode()

    def _check(self, key: str, raw: bytes, depth: int, where: str) -> None:
        """What a later reader of nested JSON would stumble over: too deep, too long a number, a key twice."""
        if raw[0] == _BRACE:
            inner = decode_object(raw)
            self._each_key_once(raw, inner, where)
            values = inner.values()
        elif raw[0] == _BRACKET:
            values = _decode_array(raw)
        elif raw[0] != _QUOTE and len(raw) > self._limits.digits:
            raise Unreadable(
                f"{key!r} holds a number of {len(raw):,} digits", where=where, cure="Send it as text"
            )
        else:
            return
        if depth >= self._limits.depth:
            raise too_deep(self._limits, where)
        for value in values:
            self._check(key, bytes(value), depth + 1, where)

    def _each_key_once(self, raw: bytes, found: Object, where: str) -> None:
        """The decoder keeps the last of two equal keys, which shows: bytes of the text are unaccounted for.

        What is neither key nor value is punctuation. Its length is right when it is the least possible, or is one
        that a slower look has found right for another object with as many keys.
        """
        sizes = self._sizes
        rest = len(raw) - sum(map(len, found.values()))
        for key in found:
            if (size := sizes.get(key)) is None:
                size = sizes[key] = len(key.encode())
            rest -= size
        if rest == 1 + 4 * len(found) or (len(found), rest) in self._sound:
            return
        keys: list[str] = json.loads(raw, object_pairs_hook=_keys, parse_int=len, parse_float=len)
        twice = [key for key, times in Counter(keys).items() if times > 1]
        if twice:
            raise Unreadable(f"it holds the key {twice[0]!r} twice", where=where, cure="Give each key once")
        self._sound.add((len(found), rest))


def _keys(pairs: list[tuple[str, object]]) -> list[str]:
    return [key for key, _ in pairs]
