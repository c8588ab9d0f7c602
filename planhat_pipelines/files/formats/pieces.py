"""Write rows, as they come, into Parquet pieces that fit in memory one at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from planhat_pipelines.files.formats.model import LINE, MB, Unreadable

PIECE_ROWS = 100_000
PIECE_BYTES = 64 * MB


class Pieces:
    """The pieces of one file: its rows, and the rows that were refused."""

    def __init__(self, folder: Path) -> None:
        self.good, self.refused = _Stack(folder, "rows"), _Stack(folder, "refused")
        self._refusals: list[tuple[int, str, list[str | None]]] = []

    def add(self, lines: Iterable[int], columns: Mapping[str, Iterable[str | None]]) -> None:
        """Rows as columns of text, with their line numbers. Columns not seen before may come at any time."""
        text = {name: pl.Series(name, values, pl.String) for name, values in columns.items()}
        self.good.add(pl.DataFrame({LINE: pl.Series(LINE, lines, pl.Int64)} | text))

    def refuse(self, line: int, reason: str, cells: Sequence[str | None]) -> None:
        """Record one row that cannot be read, with its cells as found."""
        self._refusals.append((line, reason, list(cells)))
        if len(self._refusals) >= 5_000:
            self._pass_on()

    def finish(self, columns: Sequence[str]) -> None:
        """Write what waits; every piece then has all of `columns`, in this order."""
        self._pass_on()
        self.refused.finish([LINE, "reason", "cells"])
        self.good.finish([LINE, *columns])

    def _pass_on(self) -> None:
        if self._refusals:
            schema = {LINE: pl.Int64, "reason": pl.String, "cells": pl.List(pl.String)}
            self.refused.add(pl.DataFrame(self._refusals, schema, orient="row"))
            self._refusals = []


class _Stack:
    """Numbered Parquet files of bounded size."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self.names: list[str] = []
        self.rows = 0
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = self._waiting_bytes = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Frames are cut as they come in: what is left of a joined one would keep all that was joined in memory."""
        while frame.height:
            room = PIECE_ROWS - self._waiting_rows
            head, frame = frame.head(room), frame.slice(room)
            self._waiting.append(head)
            self._waiting_rows += head.height
            self._waiting_bytes += int(head.estimated_size())
            if self._waiting_rows >= PIECE_ROWS or self._waiting_bytes >= PIECE_BYTES:
                self._write()

    def finish(self, columns: list[str]) -> None:
        if self._waiting:
            self._write()
        for name in self.names:
            path = self._folder / name
            if list(pl.read_parquet_schema(path)) != columns:
                piece = pl.read_parquet(path)
                missing = [pl.lit(None, pl.String).alias(new) for new in columns if new not in piece.columns]
                _save(piece.with_columns(missing).select(columns), path)

    def _write(self) -> None:
        piece = pl.concat(self._waiting, how="diagonal")
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        self.names.append(f"{self._prefix}-{len(self.names):05d}.parquet")
        _save(piece, self._folder / self.names[-1])
        self.rows += piece.height


def checked_columns(names: Sequence[str], most: int, where: str) -> list[str]:
    """The names, when each is there, is there once, and they are not too many; else Unreadable."""
    if len(names) > most:
        raise Unreadable(
            f"there are {len(names):,} columns, more than the {most:,} that are read", where=where
        )
    first: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            cure = "Name it, or set header_row if the names are elsewhere"
            raise Unreadable(f"column {place} has no name", where=where, cure=cure)
        if name == LINE:
            raise Unreadable(
                f"column {place} is called {LINE!r}, which is kept for line numbers", where=where
            )
        if name in first:
            raise Unreadable(
                f"columns {first[name]} and {place} are both called {name!r}",
                where=where,
                cure="Give each column a name of its own",
            )
        first[name] = place
    return list(names)


def _save(frame: pl.DataFrame, path: Path) -> None:
    try:
        frame.write_parquet(path, compression="lz4", statistics=False)
    except pl.exceptions.PolarsError as error:  # the disk's fault, which must not look like the file's
        raise OSError(errno.EIO, f"{path.name} cannot be written: {error}") from None
