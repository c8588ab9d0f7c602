"""Fields that both sides changed: what won, and the value that lost, so that a person can bring it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.database import upsert
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import NewConflict
from planhat_pipelines.ledger.rows import fit, without_nul

_CHUNK = 1_000


def write(fenced: Fenced, conflicts: Iterable[NewConflict]) -> None:
    """Write conflicts down. The very same one again, as after a crash, is one conflict; one with another value is
    another, so that no lost value is overwritten."""
    new = (_row(fenced, conflict) for conflict in conflicts)
    while chunk := list(islice(new, _CHUNK)):
        upsert(fenced.connection, schema.conflicts, chunk, take=("why", "run", "at"))


def _row(fenced: Fenced, conflict: NewConflict) -> dict[str, Any]:
    values = conflict.winner, conflict.snowflake, conflict.planhat
    same = json.dumps([fenced.sync, conflict.row, conflict.field, *values])
    return {
        "id": hashlib.sha256(same.encode()).hexdigest()[:32],
        "sync": fenced.sync,
        "row": fit(conflict.row),
        "field": conflict.field,
        "winner": conflict.winner,
        "snowflake": _kept(conflict.snowflake),
        "planhat": _kept(conflict.planhat),
        "why": fit(conflict.why),
        "run": fenced.run,
        "at": fenced.now,
    }


def _kept(value: str | None) -> str | None:
    return None if value is None else without_nul(value)
