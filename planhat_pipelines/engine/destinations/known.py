"""What Planhat was told of every record of a sync, in sixteen bytes a record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

ARCHIVED = 0  # in place of a fingerprint: Planhat was told to archive the record


@dataclass(frozen=True, slots=True)
class Known:
    """Records by a hash of their key, which holds within this process. `told`: fingerprint of what was sent last. Two
    keys share a hash once in 2^64, and then one of the two records is sent again though nothing has changed.

    The first place stands for all keys that are not known.
    """

    hashes: npt.NDArray[np.uint64]  # sorted
    told: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, parts: Iterable[pl.DataFrame]) -> Known:
        """From `Ledger.record_parts`: of a key that comes again, the last counts."""
        hashes, told = [np.zeros(1, np.uint64)], [np.full(1, ARCHIVED, np.uint64)]
        for part in parts:
            hashes.append(part["key"].hash().to_numpy())
            told.append(part["hash"].to_numpy())
        found = np.concatenate(hashes)
        order = np.argsort(found, kind="stable")
        found = found[order]
        last = np.append(found[1:] != found[:-1], True)
        return cls(found[last], np.concatenate(told)[order][last])

    def __len__(self) -> int:
        return len(self.hashes) - 1

    @property
    def living(self) -> npt.NDArray[np.bool_]:
        """Which of the records are not archived, by place."""
        return self.told != ARCHIVED

    def places(self, keys: pl.Series) -> npt.NDArray[np.intp]:
        """Where each key stands."""
        hashes = keys.hash().to_numpy()
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self))
        return np.where(self.hashes[at] == hashes, at, 0)

    def told_of(self, keys: pl.Series) -> pl.Series:
        """What was sent last of each key, null where nothing was."""
        at = self.places(keys)
        return pl.Series("told", self.told[at], dtype=pl.UInt64).set(pl.Series(at == 0), None)


class Gone:
    """Which known records have no row any more, as a window shows it piece by piece. `whole`: what it does not show is
    gone; else, only what it says is gone. `which`: whether anybody asks which they are, and not only whether all."""

    def __init__(self, known: Known, *, whole: bool, which: bool) -> None:
        self.whole = whole
        self.rows = 0  # that are there
        self._known, self._which = known, whole and which
        self._gone = known.living if whole else np.zeros_like(known.living)

    def there(self, keys: pl.Series) -> None:
        """These rows are there."""
        self.rows += len(keys)
        if self._which:
            self._gone[self._known.places(keys)] = False

    def left(self, keys: pl.Series) -> pl.Series:
        """These rows are gone; returns of which the record is known and not archived."""
        living = self._known.living
        places = self._known.places(keys)
        self._gone[places] = living[places]
        return pl.Series(living[places], dtype=pl.Boolean)

    def __len__(self) -> int:
        """How many records have no row any more and are not archived."""
        return int(self._gone.sum())

    def take(self, keys: pl.Series) -> pl.Series:
        """Those of the keys that are gone and not archived; they do not come again."""
        places = self._known.places(keys)
        gone = self._gone[places]
        self._gone[places] = False
        return keys.filter(pl.Series(gone, dtype=pl.Boolean))
