"""Fields that both sides changed: what won, and the value that lost, so that a person can bring it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from planhat_pipelines.ledger import schema
from planhat_pipelines.ledger.database import upsert
from planhat_pipelines.ledger.fence import Fenced
from planhat_pipelines.ledger.models import NewConflict
from planhat_pipelines.ledger.rows import fit, without_nul


def write(fenced: Fenced, conflicts: Iterable[NewConflict]) -> None:
    """Write conflicts down. The very same one again, as after a crash, is one conflict; one with another value is
    another, so that no lost value is overwritten."""
    rows: list[dict[str, object]] = []
    for conflict in conflicts:
        parts = (
            fenced.sync,
            conflict.row,
            conflict.field,
            conflict.winner,
            conflict.snowflake,
            conflict.planhat,
        )
        rows.append(
            {
                "id": hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32],
                "sync": fenced.sync,
                "row": fit(conflict.row),
                "field": fit(conflict.field),
                "winner": conflict.winner,
                "snowflake": _keepable(conflict.snowflake),
                "planhat": _keepable(conflict.planhat),
                "why": fit(conflict.why),
                "run": fenced.run,
                "at": fenced.now,
            }
        )
    if rows:
        upsert(fenced.connection, schema.conflicts, rows, take=("why", "run", "at"))


def _keepable(value: str | None) -> str | None:
    return None if value is None else without_nul(value)
