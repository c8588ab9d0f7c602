"""Any order of steps, checked against a ledger made of dictionaries."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from planhat_pipelines.ledger import (
    BatchState,
    ClaimLost,
    Ledger,
    NewParked,
    NewRejection,
    OpenBatches,
    StaleCursor,
    WindowClosed,
    WindowOpen,
    schema,
)
from planhat_pipelines_tests.ledger.help import intend, picture, points

rows = st.lists(st.sampled_from("abcdef"), max_size=4, unique=True)


class LedgerMachine(RuleBasedStateMachine):
    """One sync, its living claim, and now and then a takeover that leaves a zombie behind."""

    batches = Bundle("batches")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.ledger = self.stack.enter_context(Ledger.open(f"sqlite:///{folder}/ledger.db"))
        self.epoch = 0
        self.cursor: tuple[dict[str, int] | None, int] = (None, 0)
        self.window: Any = None
        self.closed: Any = None
        self.sent: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, tuple[str, int, int]] = {}  # row: reason, times, epoch
        self.waiting: dict[str, tuple[str, int]] = {}  # row: target, tries
        self.take_over()

    def teardown(self) -> None:
        self.stack.close()

    @rule()
    def take_over(self) -> None:
        """The lease has run out; the old owner lives on and does not know."""
        zombie = self.claim if self.epoch else None
        with self.ledger.database.write() as connection:
            connection.execute(schema.claims.update().values(expires=0))
        self.epoch += 1
        self.claim = self.stack.enter_context(self.ledger.claim("seats", f"run {self.epoch}", lease=600))
        if zombie is not None:
            with pytest.raises(ClaimLost):
                zombie.reject([NewRejection("a", "map", "zombie")])

    @rule(version=st.integers(0, 3), to=st.integers(0, 9))
    def begin(self, version: int, to: int) -> None:
        if version != self.cursor[1]:
            with pytest.raises(StaleCursor):
                self.claim.begin({"to": to}, version)
        elif self.window is not None:
            with pytest.raises(WindowOpen):
                self.claim.begin({"to": to}, version)
        else:
            self.window = self.claim.begin({"to": to}, version)

    @precondition(lambda self: self.window or self.closed)
    @rule(at=st.integers(0, 9), commit=st.booleans())
    def close(self, at: int, commit: bool) -> None:
        window = self.window or self.closed

        def step() -> object:
            return self.claim.commit(window, {"at": at}) if commit else self.claim.abandon(window)

        if self.window is None:
            with pytest.raises(WindowClosed):
                step()
        elif any(b["state"] == "intended" and b["window"] == window.id for b in self.sent.values()):
            with pytest.raises(OpenBatches):
                step()
        else:
            step()
            self.closed, self.window = window, None
            if commit:
                self.cursor = ({"at": at}, self.cursor[1] + 1)

    @rule(target=batches, body=st.sampled_from(["x", "y"]), keys=rows, inside=st.booleans())
    def intend(self, body: str, keys: list[str], inside: bool) -> str:
        window = self.window if inside else None
        batch = intend(self.claim, window, body, *keys)
        assert batch.id not in self.sent
        self.sent[batch.id] = {
            "state": "intended",
            "window": window and window.id,
            "body": body,
            "rows": keys,
        }
        self.sent[batch.id] |= {"points": list(range(len(keys))), "counts": {}}
        return batch.id

    @rule(batch=batches, refused=rows, gone=rows, found=st.none() | st.just([7, 8]))
    def settle(self, batch: str, refused: list[str], gone: list[str], found: list[int] | None) -> None:
        def step() -> None:
            new = [NewRejection(row, "planhat", "no") for row in refused]
            there = None if found is None else points(*found)
            self.claim.settle(batch, {"created": 1}, rejections=new, unpark=gone, points=there)

        if self.sent[batch]["state"] != "intended":
            with pytest.raises(BatchState):
                step()
            return
        step()
        self._settled(batch, {"created": 1}, found)
        self._reject(refused, "no")
        self._answered(batch)
        for row in gone:
            self.waiting.pop(row, None)

    @rule(target=batches, batch=batches, keys=rows)
    def supersede(self, batch: str, keys: list[str]) -> Any:
        window = self.window
        intent: dict[str, Any] = {"window": window and window.id, "body_hash": "rest", "purpose": "metrics"}
        intent |= {"items": 1, "rows": keys, "points": points(5), "dimensions": ["seats"]}
        intent |= {"first_day": 3, "last_day": 3}
        if self.sent[batch]["state"] != "intended":
            with pytest.raises(BatchState):
                self.claim.supersede(batch, {}, None, **intent)
            return multiple()
        rest = self.claim.supersede(batch, {"submitted": 1}, points(4), **intent)
        self._settled(batch, {"submitted": 1}, [4])
        self._answered(batch)
        self.sent[rest.id] = {"state": "intended", "window": intent["window"], "body": "rest", "rows": keys}
        self.sent[rest.id] |= {"points": [5], "counts": {}}
        return rest.id

    @rule(batch=batches)
    def hold(self, batch: str) -> None:
        if self.sent[batch]["state"] == "intended":
            self.claim.hold(batch, "nobody knows")
            self.sent[batch]["state"] = "held"
        else:
            with pytest.raises(BatchState):
                self.claim.hold(batch, "nobody knows")

    @rule(batch=consumes(batches))
    def drop(self, batch: str) -> None:
        if self.sent[batch]["state"] == "intended":
            self.claim.drop(batch)
            del self.sent[batch]
        else:
            with pytest.raises(BatchState):
                self.claim.drop(batch)

    @rule(keys=rows, reason=st.sampled_from(["empty", "not a number"]))
    def reject(self, keys: list[str], reason: str) -> None:
        self.claim.reject(NewRejection(row, "map", reason) for row in keys)
        self._reject(keys, reason)

    @rule(keys=rows)
    def resolve(self, keys: list[str]) -> None:
        self.claim.resolve(keys)
        for row in keys:
            self.rejected.pop(row, None)

    @rule(keys=rows, company=st.sampled_from(["c1", "c2"]))
    def park(self, keys: list[str], company: str) -> None:
        self.claim.park(NewParked(row, "company", "externalId", company) for row in keys)
        for row in keys:
            self.waiting[row] = (company, self.waiting.get(row, ("", 0))[1])

    @rule(keys=rows)
    def tried(self, keys: list[str]) -> None:
        self.claim.tried(keys)
        for row in keys:
            if row in self.waiting:
                self.waiting[row] = (self.waiting[row][0], self.waiting[row][1] + 1)

    @rule(keys=rows)
    def unpark(self, keys: list[str]) -> None:
        self.claim.unpark(keys)
        for row in keys:
            self.waiting.pop(row, None)

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        seen = picture(self.ledger, "seats")
        assert seen["cursor"] == self.cursor
        assert self.ledger.open_window("seats") == self.window
        assert seen["batches"] == sorted(
            (b["body"], b["state"], tuple(b["rows"]), tuple(b["points"]), tuple(b["counts"].items()))
            for b in self.sent.values()
        )
        assert seen["fingerprints"] == sorted(
            point for b in self.sent.values() if b["state"] == "settled" for point in b["points"]
        )
        assert {row.row: (row.reason, row.times) for row in self.ledger.rejections("seats")} == {
            row: (reason, times) for row, (reason, times, _) in self.rejected.items()
        }
        assert {row.row: (row.target, row.tries) for row in self.ledger.parked("seats")} == self.waiting

    def _settled(self, batch: str, counts: dict[str, int], found: list[int] | None) -> None:
        self.sent[batch] |= {"state": "settled", "counts": counts}
        if found is not None:
            self.sent[batch]["points"] = found

    def _reject(self, keys: list[str], reason: str) -> None:
        for row in keys:
            self.rejected[row] = (reason, self.rejected.get(row, ("", 0, 0))[1] + 1, self.epoch)

    def _answered(self, batch: str) -> None:
        for row in self.sent[batch]["rows"]:
            if row in self.rejected and self.rejected[row][2] < self.epoch:
                del self.rejected[row]


TestAnyOrderOfStepsGivesWhatTheModelSays = LedgerMachine.TestCase
TestAnyOrderOfStepsGivesWhatTheModelSays.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
