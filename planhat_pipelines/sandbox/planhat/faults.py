"""Faults on order: rules that spoil some requests, so that a client can show what it does then."""

from __future__ import annotations

import fnmatch
import itertools
import random
from dataclasses import asdict, dataclass, field
from typing import Any

from planhat_pipelines.sandbox.planhat.store import Doc

KINDS = {
    "status": "answer with `status` and store nothing; `retry_after` adds the header",
    "status_after": "store, then answer with `status`",
    "timeout_before": "store nothing, never answer, close after `seconds`",
    "timeout_after": "store, never answer, close after `seconds`",
    "reset_before": "reset the connection and store nothing",
    "reset_after": "store, then reset the connection",
    "html": "answer with `status` and an HTML page, store nothing",
    "not_a_list": "answer 200 with an object where a list belongs, store nothing",
    "truncated": "store, then send half of the answer and close",
    "slow": "wait `seconds`, then go on as usual",
    "partial": "refuse each item that has one of `keys`, or every `every`-th one",
    "drop": "drop such items in silence",
}


@dataclass(slots=True)
class Fault:
    """One rule. It fires on requests that fit `path` ("/endusers", "/dimensiondata/*") and `method`, after the first
    `skip` of them, `count` times (None: for ever), each time with `probability`."""

    kind: str
    path: str = "*"
    method: str = "*"
    status: int = 500
    retry_after: int | None = None
    seconds: float = 30.0
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    every: int = 2
    keys: list[str] = field(default_factory=list[str])
    id: int = 0
    fits: int = 0
    fired: int = 0

    def tamper(self, position: int, item: Doc) -> str | None:
        """What a partial or dropping fault makes of one item."""
        if self.keys:
            hit = any(item.get(key) in self.keys for key in ("_id", "sourceId", "externalId", "email"))
        else:
            hit = position % self.every == self.every - 1
        return ("refuse" if self.kind == "partial" else "drop") if hit else None


class BadFault(ValueError):
    """A rule that makes no sense."""


class Faults:
    """The rules in force, in the order in which they were given. They do not outlive the process."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._ids = itertools.count(1)
        self._random = random.Random(1)  # noqa: S311  (repeatable, not secret)

    def add(self, facts: dict[str, Any]) -> Fault:
        """Add a rule; raises BadFault."""
        unknown = set(facts) - set(Fault.__slots__) | (set(facts) & {"id", "fits", "fired"})
        if unknown:
            raise BadFault(f"a fault has no {', '.join(sorted(unknown))}")
        if facts.get("kind") not in KINDS:
            raise BadFault(f"no kind {facts.get('kind')!r}; there are {', '.join(KINDS)}")
        try:
            rule = Fault(**facts)
            sane = (
                0 < rule.probability <= 1
                and rule.every > 0
                and rule.seconds >= 0
                and 100 <= rule.status < 600
            )
        except TypeError:
            sane = False
            rule = None
        if rule is None or not sane:
            raise BadFault("a number of the fault is out of range")
        rule.id = next(self._ids)
        self.rules.append(rule)
        return rule

    def clear(self, id: int | None = None) -> None:
        self.rules = [rule for rule in self.rules if id is not None and rule.id != id]

    def pick(self, method: str, path: str) -> Fault | None:
        """The first rule that fires on this request."""
        for rule in self.rules:
            if not (fnmatch.fnmatchcase(method, rule.method) and fnmatch.fnmatchcase(path, rule.path)):
                continue
            rule.fits += 1
            if rule.fits <= rule.skip or (rule.count is not None and rule.fired >= rule.count):
                continue
            if self._random.random() < rule.probability:
                rule.fired += 1
                return rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self.rules]
