"""What a drop makes void of earlier ones: older values that still wait, and rejections that it answers anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from planhat_pipelines.engine.drops.book import DIGITS
from planhat_pipelines.files import Drop
from planhat_pipelines.ledger import Ledger, Parked, Rejection

Row = TypeVar("Row", Parked, Rejection)


class Overtaken(NamedTuple):
    """Rows of earlier drops. `parked`: their record has newer values by now, so they must not go any more. `rejected`:
    their rejection is over."""

    parked: list[str]
    rejected: list[str]


@dataclass(frozen=True)
class Overtaking:
    """A drop of which all rows have their verdict. `keys_among`: those of some keys that its rows have; None where rows
    do not become records."""

    drop: Drop
    ledger: Ledger
    keys_among: Callable[[set[str]], set[str]] | None

    def overtaken(self) -> Overtaken:
        """A row with a key overtakes earlier rows with this key, unless it was refused or parked itself.

        What else was rejected (rows of the wrong width, rows that become points) is known by its place alone. It is
        answered anew by the file of refused rows that comes back from `rejected/`, whose name holds the mark of the
        drop it was made of, and by a file of the same name.
        """
        parked = self._of_others(self.ledger.parked(self.drop.sync))
        rejected = self._of_others(self.ledger.rejections(self.drop.sync))
        if not parked and not rejected:
            return Overtaken([], [])
        keys = self._delivered({each.key for each in [*parked, *rejected] if each.key})
        starts = {each.row[:DIGITS] for each in rejected}
        returned = {start for start in starts if f".{start}." in self.drop.key.rpartition("/")[2]}
        renewed = {start for start in starts if self._has_my_name(start)}
        return Overtaken(
            [each.row for each in parked if each.key in keys],
            [
                each.row
                for each in rejected
                if each.key in keys
                or each.row[:DIGITS] in returned
                or (each.row[:DIGITS] in renewed and (self.keys_among is None or each.key is None))
            ],
        )

    def _has_my_name(self, start: str) -> bool:
        found = self.ledger.find_drop(self.drop.sync, start)
        return found is not None and found["key"] == self.drop.key

    def _of_others(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of other drops, by their places (`drop:line`)."""
        own = self.drop.id[:DIGITS]
        return [each for each in rows if each.row[:DIGITS] != own and each.row[DIGITS + 1 :].isdigit()]

    def _delivered(self, keys: set[str]) -> set[str]:
        """Those of the keys of which the drop has a row that Planhat took, or knew already."""
        if self.keys_among is None or not keys:
            return set()
        sync, own = self.drop.sync, f"{self.drop.id[:DIGITS]}:"
        ends = [*self.ledger.parked(sync), *self.ledger.rejections(sync)]
        return self.keys_among(keys) - {each.key for each in ends if each.row.startswith(own)}


def older(waited: Sequence[Parked], sent: Collection[str], left: Iterable[Parked]) -> list[str]:
    """Rows `left` parked whose record got newer values, from those of the rows that `waited` (the longest first) and
    were `sent` now."""
    newest = {each.key: each.since for each in waited if each.key and each.row in sent}
    return [each.row for each in left if each.key in newest and each.since < newest[each.key]]
