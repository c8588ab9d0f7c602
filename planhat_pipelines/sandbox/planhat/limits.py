"""The quotas of the main host: 200 calls a minute (soft), 150 a second and 50 at once (hard).

Source: Planhat developers, limits. What a 429 carries is an assumption (switches).
"""

from __future__ import annotations

import time
from collections import deque

from planhat_pipelines.sandbox.planhat.switches import Switches


class Limits:
    """Counts the calls of one tenant."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.running = 0
        self.forget()

    def forget(self) -> None:
        """Start counting anew."""
        self._calls: deque[float] = deque()
        self._second: deque[float] = deque()
        self.over = {"minute": 0, "second": 0, "parallel": 0}
        self.most_parallel = 0
        self.most_per_minute = 0

    def arrive(self) -> str | None:
        """Count one call; gives the limit for which it must be refused, if any. `running` is kept by the caller."""
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - 60:
            self._calls.popleft()
        while self._second and self._second[0] <= now - 1:
            self._second.popleft()
        self._calls.append(now)
        self._second.append(now)
        self.most_parallel = max(self.most_parallel, self.running)
        self.most_per_minute = max(self.most_per_minute, len(self._calls))
        if self.running > self._switches["parallel_requests"]:
            self.over["parallel"] += 1
            return "parallel"
        if len(self._second) > self._switches["hard_limit_per_second"]:
            self.over["second"] += 1
            return "second"
        if (
            self._switches["soft_limit"] != "off"
            and len(self._calls) > self._switches["soft_limit_per_minute"]
        ):
            self.over["minute"] += 1
            if self._switches["soft_limit"] == "refuse":
                return "minute"
        return None

    def headers(self) -> dict[str, str]:
        """Rate headers in the family that the switch names."""
        family = self._switches["rate_headers"]
        if family == "none":
            return {}
        limit = self._switches["soft_limit_per_minute"]
        headers = {
            f"{family}-Limit": str(limit),
            f"{family}-Remaining": str(max(0, limit - len(self._calls))),
        }
        if family == "x-ratelimit":
            oldest = self._calls[0] if self._calls else time.monotonic()
            headers[f"{family}-Reset"] = str(max(0, round(oldest + 60 - time.monotonic())))
        return {name.lower() if family == "x-ratelimit" else name: value for name, value in headers.items()}

    def state(self) -> dict[str, object]:
        now = time.monotonic()
        return {
            "last_minute": sum(1 for call in self._calls if call > now - 60),
            "most_per_minute": self.most_per_minute,
            "most_parallel": self.most_parallel,
            "over": dict(self.over),
        }
