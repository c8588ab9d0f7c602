"""A transaction of a claim that is known to hold: what every write to the ledger happens in."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa


class Fenced(NamedTuple):
    """The open transaction; the claim's row is locked in it, so that nobody takes over before it ends."""

    connection: sa.Connection
    sync: str
    run: str
    epoch: int
    now: float
