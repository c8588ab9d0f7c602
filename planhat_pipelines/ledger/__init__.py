"""The ledger: cursors, windows, batches, bases, rejections, parked rows and the shared call budget, in SQLite
or Postgres."""

from planhat_pipelines.ledger.blobs import Keys, Points
from planhat_pipelines.ledger.budget import Budget
from planhat_pipelines.ledger.claim import Claim
from planhat_pipelines.ledger.errors import (
    BatchState,
    ClaimLost,
    DropState,
    LedgerError,
    LedgerUnavailable,
    OpenBatches,
    StaleCursor,
    SyncBusy,
    WindowClosed,
    WindowOpen,
)
from planhat_pipelines.ledger.ledger import Ledger
from planhat_pipelines.ledger.models import (
    Batch,
    Conflict,
    Cursor,
    Intent,
    NewConflict,
    NewParked,
    NewRejection,
    Parked,
    Rejection,
    RunRecord,
    Window,
)

__all__ = [
    "Batch",
    "BatchState",
    "Budget",
    "Claim",
    "ClaimLost",
    "Conflict",
    "Cursor",
    "DropState",
    "Intent",
    "Keys",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "NewConflict",
    "NewParked",
    "NewRejection",
    "OpenBatches",
    "Parked",
    "Points",
    "Rejection",
    "RunRecord",
    "StaleCursor",
    "SyncBusy",
    "Window",
    "WindowClosed",
    "WindowOpen",
]
