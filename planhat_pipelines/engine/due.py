"""Whether a tick should start a run at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from planhat_pipelines.engine.again import is_again

if TYPE_CHECKING:
    from planhat_pipelines.engine.protocols import JsonObject
    from planhat_pipelines.ledger import Ledger

_TRY_PARKED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Due:
    """The answer, and why, in words for the person who reads the tick."""

    run: bool
    why: str


def due(sync: str, sides: Mapping[str, Callable[[JsonObject | None], bool]], ledger: Ledger) -> Due:
    """A run is due when an earlier one left work, when a side has something new, or when parked rows may go by now.
    `sides`: what each is called, and whether it changed after the sync's cursor; asked in their order."""
    if ledger.batches(sync, "intended") or ledger.open_window(sync):
        return Due(True, "an earlier run left work unfinished")
    cursor = ledger.cursor(sync)
    for side, changed in sides.items():
        if changed(cursor.value):
            return Due(True, f"{side} has changed")
    parked = ledger.parked(sync)
    if again := sum(map(is_again, parked)):
        return Due(True, f"refused rows are to be tried again, as asked: {again}")
    tried = [each.tried_at or each.since for each in parked]
    if tried and datetime.now(UTC) - min(tried) >= _TRY_PARKED_EVERY:
        return Due(True, f"{len(parked)} parked rows are looked up again")
    since = f" since {cursor.moved_at:%Y-%m-%d %H:%M} UTC" if cursor.moved_at else ""
    waiting = f"; {len(parked)} rows are parked" if parked else ""
    return Due(False, f"nothing new in {' and '.join(sides)}{since}{waiting}")
