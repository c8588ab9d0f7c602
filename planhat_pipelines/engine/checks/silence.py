"""Is a source quiet for longer than it ever was? Told by the ledger's runs alone: when the last ones had rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from planhat_pipelines.ledger import RunRecord

RUNS = 1_000
_ENOUGH = 5  # runs with rows, before there is anything usual
_TIMES = 3
_SHORTEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """How long no run had a row, the longest such time before, and from when on it is unusual (None: too few runs with
    rows to tell)."""

    lasts: timedelta | None
    usual: timedelta | None
    limit: timedelta | None

    @property
    def is_unusual(self) -> bool:
        """Whether somebody should look at the source."""
        return self.lasts is not None and self.limit is not None and self.lasts > self.limit

    @property
    def text(self) -> str:
        """The same in a sentence."""
        if self.lasts is None:
            return "no run had a row yet"
        if self.usual is None or self.limit is None:
            return f"the last row came {_hours(self.lasts)} ago; too few runs had rows to say what is usual"
        return (
            f"the last row came {_hours(self.lasts)} ago; the longest time without one was {_hours(self.usual)}, and "
            f"{_hours(self.limit)} is taken for unusual"
        )


def silence(runs: Iterable[RunRecord], now: datetime) -> Silence:
    """`runs`: of one sync, the latest first (see Ledger.runs)."""
    filled = [each.started_at for each in runs if sum(each.counts.values())]
    if not filled:
        return Silence(None, None, None)
    lasts = now - filled[0]
    if len(filled) < _ENOUGH:
        return Silence(lasts, None, None)
    usual = max(later - earlier for later, earlier in pairwise(filled))
    return Silence(lasts, usual, max(_TIMES * usual, _SHORTEST))


def _hours(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
