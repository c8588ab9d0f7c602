"""The server's clock: never the same instant twice, so that commits have an order."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Hands out strictly growing UTC instants, also when the machine's clock stands still or steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """An instant later than any handed out before, to the microsecond."""
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            return self._last
