"""Short forms and a picture of the whole ledger, for tests that compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from planhat_pipelines.ledger import Batch, Claim, Ledger, Window


def points(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def intend(claim: Claim, window: Window | None, body: str, *rows: str, **changes: Any) -> Batch:
    """A batch of metrics on days 10 to 12 of dimension `seats`, unless told otherwise."""
    intent: dict[str, Any] = {
        "window": None if window is None else window.id,
        "body_hash": body,
        "purpose": "metrics",
        "items": len(rows),
        "rows": rows,
        "points": points(*range(len(rows))),
        "dimensions": ("seats",),
        "first_day": 10,
        "last_day": 12,
    }
    return claim.intend(**intent | changes)


def picture(ledger: Ledger, sync: str) -> dict[str, Any]:
    """All that the ledger says about a sync, but for times and runs."""
    window, cursor = ledger.open_window(sync), ledger.cursor(sync)
    return {
        "cursor": (cursor.value, cursor.version),
        "window": window and (window.bounds, window.cursor_version),
        "batches": sorted(
            (
                batch.body_hash,
                batch.state,
                tuple(batch.rows),
                tuple(batch.points),
                tuple(batch.counts.items()),
            )
            for batch in ledger.batches(sync)
            if batch.points is not None
        ),
        "rejections": sorted((row.row, row.stage, row.reason, row.times) for row in ledger.rejections(sync)),
        "parked": sorted((row.row, row.target, row.tries) for row in ledger.parked(sync)),
        "bases": ledger.bases(sync, ["name"]).rows(),
        "conflicts": [(conflict.row, conflict.field) for conflict in ledger.conflicts(sync)],
        "fingerprints": sorted(ledger.fingerprints(["seats"], 0, 100).tolist()),
    }
