"""A parquet file as a source of the engine's, so that what comes after reading is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.data import pieces
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.records import COPIES


@dataclass
class ParquetSource:
    """A file as the engine's source, read once and whole. `key`: the column that becomes ROW; `copies`: as a table of
    records has it."""

    path: Path
    key: str
    copies: bool = False
    unreadable: Sequence[str] = ()
    _read: bool = False

    def claimed(self, claim: Any) -> None:
        """A file needs nothing of the claim."""

    def changed(self, cursor: dict[str, Any] | None) -> bool:
        return not self._read

    def next(self, cursor: dict[str, Any] | None) -> ParquetIncrement | None:
        if self._read:
            return None
        self._read = True
        return ParquetIncrement(self)

    def again(self, bounds: dict[str, Any]) -> ParquetIncrement | None:
        return ParquetIncrement(self)

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        raise AssertionError(f"{len(keys)} rows were asked for one by one, and nothing should be in doubt")


@dataclass(frozen=True)
class ParquetIncrement:
    """The whole file."""

    source: ParquetSource
    whole: bool = True

    @property
    def bounds(self) -> dict[str, Any]:
        return {"file": self.source.path.name}

    def pieces(self) -> Iterator[pl.DataFrame]:
        extra = [pl.col(self.source.key).cast(pl.String).alias(ROW)]
        if self.source.copies:
            extra.append(pl.lit(1, pl.Int64).alias(COPIES))
        for piece in pieces(self.source.path):
            yield piece.with_columns(extra)

    def cursor(self) -> dict[str, Any]:
        return self.bounds
