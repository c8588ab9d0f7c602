"""The book of drops on both databases: one under way at a time, each step from the state it needs, and a trail."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from planhat_pipelines.ledger import Claim, ClaimLost, Ledger
from planhat_pipelines.ledger.errors import DropState


def drop(start: str = "a", state: str = "claimed", **changes: Any) -> dict[str, Any]:
    """A drop whose id begins with `start`."""
    usual = {
        "id": start * 64,
        "bucket": "b",
        "key": f"in/{start}.csv",
        "etag": '"e"',
        "modified": 1_700_000_000.0,
    }
    usual |= {"size": 5, "version": None, "tries": 1, "sha256": None, "archive": None, "report": None}
    return {**usual, "state": state, **changes}


def finish(claim: Claim, start: str, **facts: Any) -> None:
    steps = [None, "claimed", "fetched", "imported", "archived", "done"]
    for was, state in pairwise(steps):
        claim.write_drop(drop(start, str(state), **facts), was)


def test_a_drop_is_under_way_until_it_is_done_and_never_comes_again(ledger: Ledger) -> None:
    with ledger.claim("devices", "run") as claim:
        claim.write_drop(drop(), None)
        found = ledger.drop_under_way("devices")
        assert found
        assert (found["id"], found["state"], found["run"]) == ("a" * 64, "claimed", "run")
        assert found["modified"] == datetime.fromtimestamp(1_700_000_000, UTC)
        for was, state in [("claimed", "fetched"), ("fetched", "imported"), ("imported", "archived")]:
            claim.write_drop(drop(state=state), was)
        assert ledger.drops_done("devices", ["a" * 64]) == set()
        claim.write_drop(drop(state="done"), "archived")
    assert ledger.drop_under_way("devices") is None
    assert ledger.drops_done("devices", ["a" * 64, "b" * 64]) == {"a" * 64}
    assert ledger.drops_done("seats", ["a" * 64]) == set()


def test_many_drops_are_asked_for_at_once(ledger: Ledger) -> None:
    with ledger.claim("devices", "run") as claim:
        finish(claim, "a")
    assert ledger.drops_done("devices", [f"{at:064}" for at in range(3_000)] + ["a" * 64]) == {"a" * 64}


def test_a_second_drop_of_a_sync_waits_and_one_of_another_sync_does_not(ledger: Ledger) -> None:
    with ledger.claim("devices", "run") as claim, ledger.claim("seats", "run") as other:
        claim.write_drop(drop("a"), None)
        with pytest.raises(DropState, match="waiting for aaaaaaaaaaaa"):
            claim.write_drop(drop("b"), None)
        other.write_drop(drop("c"), None)
        assert [each["id"][0] for each in ledger.drops("devices")] == ["a"]


@pytest.mark.parametrize("was", [None, "fetched", "done"])
def test_a_step_from_another_state_is_refused_and_changes_nothing(ledger: Ledger, was: str | None) -> None:
    with ledger.claim("devices", "run") as claim:
        claim.write_drop(drop(), None)
        before = ledger.drops()
        with pytest.raises(DropState, match="another run works on it"):
            claim.write_drop(drop(state="imported"), was)
        assert ledger.drops() == before


def test_an_overwritten_drop_may_be_taken_again_and_does_not_stop_the_next(ledger: Ledger) -> None:
    with ledger.claim("devices", "run") as claim:
        claim.write_drop(drop(), None)
        claim.write_drop(drop(state="superseded"), "claimed")
        finish(claim, "b")
        claim.write_drop(drop(), None)
        found = ledger.drop_under_way("devices")
        assert found
        assert found["id"] == "a" * 64


def test_a_run_that_was_taken_over_moves_no_drop(ledger: Ledger) -> None:
    with ledger.claim("devices", "old") as old:
        old.write_drop(drop(), None)
    with pytest.raises(ClaimLost):
        old.write_drop(drop(state="fetched"), "claimed")


def test_the_end_of_a_window_and_the_import_of_its_drop_are_one_step(ledger: Ledger) -> None:
    with ledger.claim("devices", "run") as claim:
        claim.write_drop(drop(), None)
        window = claim.begin({"drop": "a"}, 0)
        with pytest.raises(DropState):
            claim.commit(window, {"key": "a"}, drop=drop(state="imported"))
        assert ledger.open_window("devices") == window
        assert ledger.cursor("devices").value is None
        claim.write_drop(drop(state="fetched"), "claimed")
        claim.commit(window, {"key": "a"}, drop=drop(state="imported", counts={"submitted": 3}))
        assert ledger.open_window("devices") is None
        claim.write_drop(drop(state="archived", archive="processed/a"), "imported")
        (found,) = ledger.drops("devices")
        assert (found["counts"], found["archive"]) == ({"submitted": 3}, "processed/a")


def test_the_trail_begins_with_what_moved_last_and_a_drop_is_found_by_the_start_of_its_id(
    ledger: Ledger,
) -> None:
    with ledger.claim("devices", "run") as claim:
        for start in "abc":
            finish(claim, start)
    assert [each["id"][0] for each in ledger.drops(limit=2)] == ["c", "b"]
    found = ledger.find_drop("devices", "b" * 12)
    assert found
    assert found["key"] == "in/b.csv"
    assert ledger.find_drop("seats", "b" * 12) is None
    assert ledger.find_drop("devices", "%") is None
