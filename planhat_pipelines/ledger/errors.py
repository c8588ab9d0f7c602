"""What can go wrong with the ledger; every message says which sync and what to do."""

from __future__ import annotations

from datetime import datetime


class LedgerError(Exception):
    """Base of everything the ledger raises."""


class LedgerUnavailable(LedgerError):
    """The database could not be opened, read or written; nothing of the refused write is kept."""


class SyncBusy(LedgerError):
    """Another living run holds the sync's claim."""

    def __init__(self, sync: str, owner: str, since: datetime) -> None:
        self.sync, self.owner, self.since = sync, owner, since
        super().__init__(
            f"sync {sync!r} is being delivered by {owner} since {since:%Y-%m-%d %H:%M:%S} UTC; "
            "let that run end, or stop it, and start again"
        )


class ClaimLost(LedgerError):
    """Another run has taken the sync over; this one must stop, and has changed nothing since."""

    def __init__(self, sync: str) -> None:
        self.sync = sync
        super().__init__(
            f"sync {sync!r} has been taken over by another run, as this one had not been heard of for longer "
            "than its lease; nothing was written, and the other run carries on from what the ledger holds"
        )


class StaleCursor(LedgerError):
    """The cursor moved between reading it and using it."""

    def __init__(self, sync: str, expected: int, found: int) -> None:
        self.sync, self.expected, self.found = sync, expected, found
        super().__init__(
            f"sync {sync!r} read its cursor at version {expected}, but it is now at version {found}: another "
            "run was faster; nothing was changed, read the cursor and start again"
        )


class WindowOpen(LedgerError):
    """The sync still has an open window, which comes first."""

    def __init__(self, sync: str, window: int) -> None:
        self.sync, self.window = sync, window
        super().__init__(
            f"sync {sync!r} still has window {window} open: finish it and commit it, or abandon it, "
            "before beginning another"
        )


class WindowClosed(LedgerError):
    """The window was committed or abandoned before, or never was one of this sync."""

    def __init__(self, sync: str, window: int) -> None:
        self.sync, self.window = sync, window
        super().__init__(
            f"sync {sync!r} has no open window {window}: ask for the open one and carry on with that"
        )


class OpenBatches(LedgerError):
    """A window can't be closed while the fate of one of its batches is open."""

    def __init__(self, sync: str, window: int, batches: int) -> None:
        self.sync, self.window, self.batches = sync, window, batches
        super().__init__(
            f"sync {sync!r}: {batches} batch(es) of window {window} are written down as intended and have no "
            "receipt yet; settle or hold each of them first"
        )


class BatchState(LedgerError):
    """The batch is not in the state that the step needs."""

    def __init__(self, sync: str, batch: str, state: str | None) -> None:
        self.sync, self.batch, self.state = sync, batch, state
        is_now = f"is {state} already" if state else "is not in the ledger"
        super().__init__(
            f"sync {sync!r}: batch {batch} {is_now}, where an intended one was expected; nothing was "
            "changed, read the sync's batches again"
        )


class DropState(LedgerError):
    """The drop is not in the state that the step needs: another worker has moved it."""

    def __init__(self, sync: str, key: str, expected: str | None, found: str | None) -> None:
        self.sync, self.key, self.expected, self.found = sync, key, expected, found
        super().__init__(
            f"sync {sync!r}: the drop {key!r} is {found or 'not in the ledger'}, where {expected or 'a new one'} was "
            "expected; another run works on it, and this one changed nothing"
        )
