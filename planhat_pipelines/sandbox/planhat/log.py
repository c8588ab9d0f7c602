"""The request log: what was asked, by whom, and what became of it. In memory, with secrets masked."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from planhat_pipelines.sandbox.planhat.store import now_iso

KEPT = 20_000


@dataclass(slots=True)
class Entry:
    """One request. `counts` depends on the call: created, updated, returned, stored, dropped …"""

    seq: int
    at: str
    host: str
    method: str
    path: str
    query: str
    app: str = ""
    token: str = ""
    status: int = 0
    items: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])
    bytes_in: int = 0
    bytes_out: int = 0
    ms: float = 0.0
    fault: str = ""
    started: float = field(default_factory=time.perf_counter)


class Log:
    """The last requests of both hosts."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._seq = itertools.count(1)
        self.total = 0

    def open(self, host: str, method: str, path: str, query: str) -> Entry:
        """An entry for a request that just came; `close` puts it in the log."""
        return Entry(next(self._seq), now_iso(), host, method, path, query)

    def close(self, entry: Entry) -> None:
        entry.ms = round((time.perf_counter() - entry.started) * 1000, 2)
        self.total += 1
        self._entries.append(entry)

    def clear(self) -> None:
        self._entries.clear()

    def find(
        self,
        *,
        after: int = 0,
        host: str = "",
        method: str = "",
        path: str = "",
        status: int = 0,
        limit: int = 200,
    ) -> list[dict[str, Any]]:
        """The newest `limit` entries that fit, newest first; `path` is a prefix."""
        found: list[dict[str, Any]] = []
        for entry in reversed(self._entries):
            if entry.seq <= after or len(found) >= limit:
                continue
            if (
                (not host or entry.host == host)
                and (not method or entry.method == method)
                and entry.path.startswith(path)
                and (not status or entry.status == status)
            ):
                facts = asdict(entry)
                del facts["started"]
                found.append(facts)
        return found
