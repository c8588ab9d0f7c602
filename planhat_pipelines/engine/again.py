"""Rows that somebody wants to be sent again, refused or lost: by the next run, though nothing in them changed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planhat_pipelines.ledger import Ledger, Parked

AGAIN = "again"
"""In the place of a model: the row waits for nothing but the next run."""


def try_again(ledger: Ledger, sync: str) -> int:
    """Mark every open rejection of the sync; returns how many. What Planhat was told of these rows counts as forgotten,
    so that they are sent though they are unchanged. Raises SyncBusy while a run of the sync is alive."""
    from planhat_pipelines.ledger import NewParked  # a tick asks `is_again` and loads nothing

    with ledger.claim(sync, f"again-{secrets.token_hex(4)}") as claim:
        open_rows = ledger.rejections(sync)
        claim.park([NewParked(each.row, AGAIN, "", "") for each in open_rows])
        if open_rows:
            claim.sum_up([*{each.row for each in open_rows} | {each.key for each in open_rows if each.key}])
        claim.finish("done", {}, f"{len(open_rows)} refused rows are to be tried again")
    return len(open_rows)


def send_again(ledger: Ledger, sync: str, keys: Sequence[str], *, from_source: bool) -> int:
    """Let records be sent again that the ledger says were sent; returns how many. What Planhat was told of them counts
    as forgotten, and `from_source` the next run reads their rows. Raises SyncBusy while a run of the sync is alive."""
    from planhat_pipelines.ledger import NewParked

    with ledger.claim(sync, f"again-{secrets.token_hex(4)}") as claim:
        if from_source:
            claim.park([NewParked(key, AGAIN, "", "") for key in keys])
        if keys:
            claim.sum_up(keys)
        claim.finish("done", {}, f"{len(keys)} records are to be sent again")
    return len(keys)


def is_again(parked: Parked) -> bool:
    """Whether the row waits for the next run alone."""
    return parked.model == AGAIN
