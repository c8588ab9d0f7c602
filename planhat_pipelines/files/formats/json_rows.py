"""JSON objects as rows: an array of objects, one object a line, or an array under a key of an object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from planhat_pipelines.files.formats.json_split import Object, array_objects, decoded, placed
from planhat_pipelines.files.formats.json_text import Texted, Texts
from planhat_pipelines.files.formats.model import FileOptions, Limits, Unreadable
from planhat_pipelines.files.formats.pieces import Pieces, checked_columns
from planhat_pipelines.files.formats.text import Text

_BATCH_BYTES, _BATCH_ROWS = 1_000_000, 5_000
_LIST_OF_OBJECTS = re.compile(r"\[\s*\{")
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
                try:
                    found = decoded(line)
                except Unreadable as error:
                    raise placed(error, f"line {number:,}") from None
                yield number, line, found


class _Rows:
    """Objects into columns, batch by batch."""

    def __init__(self, pieces: Pieces, limits: Limits, unit: str) -> None:
        self._pieces, self._limits, self._unit = pieces, limits, unit
        self._texts = Texts(limits)
        self.columns: dict[str, None] = {}
        self.taken = 0
        self.lists: list[str] = []  # keys under which the first row holds a list of objects

    def take(self, objects: Iterable[_Numbered]) -> None:
        """Write all rows. The number that comes with an object is its line, or its place in the array."""
        numbers: list[int] = []
        batch: list[Texted] = []
        size = 0
        for number, raw, found in objects:
            try:
                row = self._texts.of(raw, found)
            except Unreadable as error:
                raise placed(error, f"{self._unit} {number:,}") from None
            if not self.taken and not batch:
                self.lists = [key for key, text in row.items() if text and _LIST_OF_OBJECTS.match(text)]
            numbers.append(number)
            batch.append(row)
            size += len(raw)
            if size >= _BATCH_BYTES or len(numbers) >= _BATCH_ROWS:
                self._write(numbers, batch)
                numbers, batch, size = [], [], 0
        if numbers:
            self._write(numbers, batch)

    def _write(self, numbers: list[int], batch: list[Texted]) -> None:
        alike = all(map(list(batch[0]).__eq__, map(list, batch)))
        for row in batch[:1] if alike else batch:
            self.columns |= dict.fromkeys(row)
        checked_columns(list(self.columns), self._limits.columns, f"up to {self._unit} {numbers[-1]:,}")
        if alike and batch[0]:
            values = zip(*(row.values() for row in batch), strict=True)
            columns = dict(zip(batch[0], values, strict=True))
        else:
            columns = {key: [row.get(key) for row in batch] for key in self.columns}
        self._pieces.add(numbers, columns)
        self.taken += len(numbers)
