"""Troubles, drawn at random: what Planhat answers, what becomes of a connection, of the ledger, the disk, the clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from torture.scenes import Scene
from torture.stage import Stage

PLANHAT: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": 0},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 0},
    {"kind": "status_after", "status": 500},
    {"kind": "status_after", "status": 502},
    {"kind": "timeout_before", "seconds": 0.7},
    {"kind": "timeout_after", "seconds": 0.7},
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 502},
    {"kind": "truncated"},
    {"kind": "not_a_list"},
    {"kind": "slow", "seconds": 0.2},
)
_APPENDED = "/dimensiondata/*", "/analytics/bulk/*"


class Troubles:
    """The troubles of one round. `made` counts them by kind."""

    def __init__(self, stage: Stage, draw: Random, folder: Path) -> None:
        self.stage, self.draw, self.folder = stage, draw, folder
        self.made: Counter[str] = Counter()
        self._locks: list[threading.Thread] = []

    def some(self, scenes: list[Scene], *, alone: bool) -> dict[str, Any]:
        """Make some trouble, and give what a run has to bring along of it. `alone`: one run at a time, whose clock may
        be wrong without two of them having different ones."""
        carried: dict[str, Any] = {"clock": 0.0, "disk": 0, "hasty_ledger": False}
        for _ in range(self.draw.choice([0, 1, 1, 2, 3])):
            match self.draw.choices(["planhat", "wire", "ledger", "disk", "clock"], [10, 4, 2, 1, 1])[0]:
                case "planhat":
                    self._planhat(self.draw.choice(scenes))
                case "wire":
                    self._wire(scenes)
                case "ledger":
                    carried["hasty_ledger"] = self.draw.random() < 0.5
                    self._lock(self.draw.uniform(0.05, 0.6))
                case "disk":
                    carried["disk"] = self.draw.choice([100, 4_096, 200_000, 400_000])
                    self.made["disk full"] += 1
                case _:
                    carried["clock"] = self.draw.choice([-7200, -60, 60, 7200]) if alone else 0.0
                    self.made["clock step"] += alone
        return carried

    def over(self) -> None:
        """Wait until nobody holds the ledger any more, and calm everything."""
        for thread in self._locks:
            thread.join()
        self._locks.clear()
        self.stage.calm()

    def _planhat(self, scene: Scene) -> None:
        fault = self.draw.choice(PLANHAT)
        path, method = self.draw.choice([*scene.faulty, scene.faulty[0]])
        if fault["kind"] == "not_a_list" and path in _APPENDED:
            return  # their answer is none
        often = {"skip": self.draw.randrange(4), "count": self.draw.choice([1, 1, 2, 6])}
        if fault.get("status") == 429:
            often["count"] *= 2  # a storm
        self.stage.planhat.admin("POST", "faults", {**fault, "path": path, "method": method, **often})
        self.made[f"{fault['kind']} {fault.get('status', '')}".strip()] += 1

    def _wire(self, scenes: list[Scene]) -> None:
        ends = ["api", "analytics", *("s3" if scene.kind == "files" else "snowflake" for scene in scenes)]
        end = self.draw.choice(ends)
        if self.draw.random() < 0.3:
            self.stage.wires[end].drip(self.draw.choice([100, 1_000]))
            self.made[f"drip {end}"] += 1
        else:
            self.stage.wires[end].cut_after(self.draw.randrange(1, 12_000))
            self.made[f"cut {end}"] += 1

    def _lock(self, seconds: float) -> None:
        def hold() -> None:
            other = sqlite3.connect(self.folder / "ledger.db", timeout=5, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            other.execute("ROLLBACK")
            other.close()

        thread = threading.Thread(target=hold)
        thread.start()
        self._locks.append(thread)
        self.made["ledger locked"] += 1
