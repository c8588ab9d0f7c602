"""What a conflict overwrote can be brought back, and shows up nowhere but where it is asked for."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from planhat_pipelines.ledger import Ledger, NewConflict


def conflict(
    row: str, *, winner: Literal["snowflake", "planhat"] = "snowflake", **changes: Any
) -> NewConflict:
    told: dict[str, Any] = {"field": "name", "snowflake": "Acme", "planhat": "Acme Inc", "why": "on_conflict"}
    return NewConflict(row=row, winner=winner, **told | changes)


def test_a_conflict_comes_back_whole_the_latest_first(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim, ledger.claim("contacts", "r2") as other:
        claim.conflict([conflict("a"), conflict("b", winner="planhat", planhat=None, why="no base yet")])
        other.conflict(conflict(row) for row in "c")
        claim.conflict([])
    latest, *_ = found = ledger.conflicts()
    assert [(one.sync, one.run, one.row) for one in found] == [
        ("contacts", "r2", "c"),
        ("accounts", "r1", "a"),
        ("accounts", "r1", "b"),
    ]
    assert latest.at > found[1].at == found[2].at
    assert (found[1].winner, found[1].snowflake, found[1].planhat) == ("snowflake", "Acme", "Acme Inc")
    assert (found[2].winner, found[2].planhat, found[2].why) == ("planhat", None, "no base yet")
    assert ledger.conflicts("accounts", limit=1) == [found[1]]
    assert ledger.conflicts("others") == []


def test_a_run_that_is_repeated_after_a_crash_adds_no_second_conflict(ledger: Ledger) -> None:
    for run in ("r1", "r2"):
        with ledger.claim("accounts", run) as claim:
            claim.conflict([conflict("a", why=f"{run} says so")])
            claim.conflict([conflict("a", why=f"{run} says so"), conflict("a", why=f"{run} says so")])
    (kept,) = ledger.conflicts()
    assert (kept.run, kept.why) == ("r2", "r2 says so")


@pytest.mark.parametrize(
    "other",
    [
        conflict("a", snowflake="Acme AB"),
        conflict("a", planhat=""),
        conflict("a", planhat=None),
        conflict("a", winner="planhat"),
        conflict("a", field="custom.ARR"),
    ],
    ids=["snowflake", "empty", "null", "winner", "field"],
)
def test_a_lost_value_is_never_overwritten_by_another(ledger: Ledger, other: NewConflict) -> None:
    with ledger.claim("accounts", "r1") as claim:
        claim.conflict([conflict("a"), other])
    assert {one.planhat for one in ledger.conflicts()} == {"Acme Inc", other.planhat}
    assert len(ledger.conflicts()) == 2


def test_texts_of_any_length_and_script_are_kept_whole(ledger: Ledger) -> None:
    text = "Å 漢字 🦊\n" * 100_000
    with ledger.claim("accounts", "r1") as claim:
        claim.conflict([conflict("k" * 10_000, snowflake=text, planhat="nul \0")])
    (kept,) = ledger.conflicts()
    assert kept.snowflake == text
    assert kept.planhat == "nul \N{REPLACEMENT CHARACTER}"
    assert kept.row.startswith("kkk")


def test_a_conflict_does_not_show_its_values_when_it_is_printed(ledger: Ledger) -> None:
    with ledger.claim("accounts", "r1") as claim:
        claim.conflict([conflict("a")])
    for shown in (repr(conflict("a")), repr(ledger.conflicts())):
        assert "'a'" in shown
        assert "Acme" not in shown
