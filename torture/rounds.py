"""One round: some syncs on one ledger, several acts of changes, troubles and kills, then peace, and what must hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from planhat_pipelines.ledger import schema
from torture.crm import BothWays, OneWay
from torture.drops import DropMetrics, DropRecords
from torture.runs import Ended
from torture.scenes import Scene, Violations
from torture.stage import BUDGET, CALM, HASTE, Stage
from torture.trouble import Troubles
from torture.usage import Activities, Metrics

SCENES: tuple[type[Scene], ...] = (Metrics, Activities, OneWay, BothWays, DropMetrics, DropRecords)
MOMENTS, SECONDS = 60, 1.2  # about as long as runs are, to die at any moment of them
READ_BACK = 1.5  # seconds after which Planhat shows what it took, however busy the machine
_GIVEN_UP = (
    HASTE["read"] - 0.1
)  # seconds after which nobody waits for a call, which then has no slot any more


@dataclass
class Outcome:
    """What a round saw."""

    seed: str
    scenes: list[str]
    runs: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # by sync and end
    faults: Counter[str] = field(default_factory=Counter[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    violations: Violations = field(default_factory=Violations)

    def ended(self, end: str) -> int:
        """How many runs ended so."""
        return sum(many for (_, each), many in self.runs.items() if each == end)


def play(stage: Stage, seed: str, number: int, only: str = "") -> Outcome:
    """Play the round of this seed. `only`: the name of the only kind of scene."""
    with prepared(stage, seed, number, only) as ready:
        ready.play()
    return ready.outcome


@contextmanager
def prepared(stage: Stage, seed: str, number: int, only: str = "") -> Generator[Round]:
    """The round of this seed, to be played."""
    draw = Random(seed)  # noqa: S311  (repeatable, not secret)
    kinds = [each for each in SCENES if not only or each.__name__ == only]
    kinds = draw.sample(kinds, k=min(len(kinds), draw.choice([1, 1, 1, 2])))
    outcome = Outcome(seed, [each.__name__ for each in kinds])
    with stage.round(number) as folder:
        scenes = [kind(stage, draw, folder, number) for kind in kinds]
        try:
            yield Round(stage, draw, folder, scenes, outcome)
        finally:
            for scene in scenes:
                scene.close()


class Round:
    """One round between what was there before it and what must be forgotten after it."""

    def __init__(
        self, stage: Stage, draw: Random, folder: Path, scenes: list[Scene], outcome: Outcome
    ) -> None:
        self.stage, self.draw, self.folder, self.scenes = stage, draw, folder, scenes
        self.outcome = outcome
        self.found = outcome.violations
        self.troubles = Troubles(stage, draw, folder)
        self.debug = draw.random() < 0.1
        self.number = 0

    def play(self) -> None:
        """All acts, peace, and what must hold then; what does not is in the outcome."""
        for scene in self.scenes:
            scene.prepare()
        for act in range(self.draw.choice([1, 1, 2, 3])):
            if act:
                for scene in self.scenes:
                    scene.change()
            self._act()
            for scene in self.scenes:
                scene.midway(self.found)
        for scene in self.scenes:
            scene.end()
        self._peace()
        self.look(self.found)
        self.outcome.faults = +self.troubles.made

    def look(self, found: Violations) -> None:
        """What must hold at the end."""
        for scene in self.scenes:
            scene.midway(found)
            scene.finished(found)
        self._no_secret(found)
        self._no_claim(found)
        log = self.stage.planhat.admin("GET", "log", limit=20_000, host="main")
        beyond = over_budget([each for each in log if each["app"] == "runs"], self.outcome.ended("killed"))
        found.expect("7 budget", not beyond, beyond)

    def _act(self) -> None:
        carried = self.troubles.some(self.scenes, alone=len(self.scenes) == 1)
        twice = self.draw.random() < 0.3 and not carried["clock"]  # a second worker of each sync
        started: list[tuple[int, Scene, float | None]] = []
        for scene in [*self.scenes, *(self.scenes if twice else [])]:
            moment, delay = 0, None
            if self.draw.random() < 0.75:
                if self.draw.random() < 0.5:
                    moment = self.draw.randrange(1, MOMENTS)
                else:
                    delay = self.draw.random() * SECONDS
            pid = self._start(scene, HASTE, die_at=moment, **carried)
            started.append((pid, scene, delay))
        if self.draw.random() < 0.5:
            time.sleep(self.draw.random() * 0.4)
            self.draw.choice(self.scenes).change()
        self._kill(started)
        for pid, scene, _ in started:
            self._ended(scene, self.stage.runs.end(pid), carried)
        self.troubles.over()

    def _kill(self, started: list[tuple[int, Scene, float | None]]) -> None:
        began = time.monotonic()
        for pid, _, delay in sorted(
            (each for each in started if each[2] is not None), key=lambda each: each[2] or 0
        ):
            time.sleep(max(0.0, began + (delay or 0) - time.monotonic()))
            self.stage.runs.kill(pid)

    def _peace(self) -> None:
        for again in range(self.draw.choice([1, 1, 2])):
            for scene in self.scenes:
                ended = self.stage.runs.end(self._start(scene, CALM))
                self._ended(scene, ended, {})
                said = f"{scene.name}: {ended.get('error')} {ended.get('trace')}"
                self.found.expect("quiet", ended["end"] == "done", said)
                if ended["end"] == "done" and again:
                    said = f"{scene.name}: the second run sends {ended['counts']}"
                    self.found.expect("quiet", not ended["counts"].get("items_sent"), said)

    def _start(
        self,
        scene: Scene,
        haste: dict[str, Any],
        *,
        die_at: int = 0,
        clock: float = 0.0,
        disk: int = 0,
        hasty_ledger: bool = False,
    ) -> int:
        self.number += 1
        environment = self.stage.environment(self.folder, calm=haste is CALM, hasty_ledger=hasty_ledger)
        order = {"kind": scene.kind, "facts": scene.facts, "environment": dict(environment)}
        order |= {"die_at": die_at, "clock": clock, "disk": disk, "haste": haste, "budget": BUDGET}
        order |= {"items": 3, "patience": READ_BACK, "debug": self.debug, "run": self.number}
        return self.stage.runs.start(order)

    def _ended(self, scene: Scene, ended: Ended, carried: dict[str, Any]) -> None:
        self.outcome.runs[type(scene).__name__, ended["end"]] += 1
        self.found.expect("typed", ended["end"] != "hung", f"{scene.name}: a run never ended")
        if ended["end"] == "failed":
            self.outcome.errors[ended["error"].partition(":")[0]] += 1
            excused = bool(carried.get("disk"))  # no disk, no words
            self.found.expect("typed", ended["typed"] or excused, f"{scene.name}: {ended['trace']}")

    def _no_secret(self, found: Violations) -> None:
        places = [self.stage.output, *self.folder.glob("ledger.db*")]
        text = b"".join(path.read_bytes() for path in places)
        for name, secret in self.stage.secrets.items():
            found.expect("9 secrets", secret.encode() not in text, f"the {name} came to light")

    def _no_claim(self, found: Violations) -> None:
        ledger = self.scenes[0].ledger
        with ledger.database.read() as connection:
            owners = connection.execute(sa.select(schema.claims.c.owner)).scalars().all()
        found.expect("10 orphans", not any(owners), f"{len(owners)} claims are left")
        left = [path for path in (self.folder / "spool").rglob("*") if path.is_file()]
        found.expect("10 orphans", not left, f"files are left: {left}")


def over_budget(calls: Sequence[Mapping[str, Any]], killed: int) -> str:
    """How these calls, as Planhat logged them, broke the budget of runs of which so many were killed; nothing is said
    where they may have kept it."""
    at = sorted(datetime.fromisoformat(each["at"]).timestamp() for each in calls)
    # Calls that hold a slot may come late, and those of killed runs, whose slots are given away at once.
    slots = BUDGET["parallel"] * (1 + killed)
    for first, begin in enumerate(at):
        for last in range(first, len(at)):
            many, span = last - first + 1, at[last] - begin
            if many > BUDGET["burst"] + slots + BUDGET["rate"] * (span + _GIVEN_UP):
                return f"{many} calls in {span:.2f} s"
    waited_for = [each for each in calls if each["ms"] < 1000 * _GIVEN_UP]
    many = max(_at_once(waited_for), default=0)
    return f"{many} calls at once" if many > slots else ""


def _at_once(calls: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many calls were under way whenever one began."""
    spans = [
        (began := datetime.fromisoformat(each["at"]).timestamp(), began + each["ms"] / 1000) for each in calls
    ]
    return [sum(begin <= at < end for begin, end in spans) for at, _ in spans]
