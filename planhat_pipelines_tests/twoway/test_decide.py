"""Whose value stays: the frame's decision is that of the rule in plain words, for every case there is."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from planhat_pipelines.engine.twoway.decide import EMPTY, FETCH, PUSH, Flow, Winner, decide
from planhat_pipelines.mapping.canonical import fingerprints

NOTHING = 0
VALUES = (EMPTY, 1, 2)
KNOWN = (None, *VALUES)


def rule(flow: Flow, on_conflict: Winner, case: dict[str, int | bool | None]) -> tuple[int, bool]:
    """The same in plain words, for one field of one record."""
    s, p, base, sending, writing, newer = (case[name] for name in ("s0", "p0", "b0", "i0", "j0", "newer"))
    seen = case["seen"] and case["there"]
    if seen and sending is not None and p == sending:
        base = sending  # it had arrived
    elif writing is not None and s == writing:
        base = writing
    if flow == "to_snowflake":
        return (FETCH if seen and (p != base or writing is not None) else NOTHING), False
    if seen and s == p:
        return NOTHING, False
    if flow == "to_planhat" or not seen:  # what is not seen has not changed in Planhat
        return (PUSH if s != base or sending is not None else NOTHING), False
    if base is None and sending is None and writing is None:
        if EMPTY in (s, p):
            return (FETCH if s == EMPTY else PUSH), False
        return winner(on_conflict, newer), True
    if base is None:
        base = EMPTY  # one side had nothing when something was about to be carried there
    edited_here = s not in {base, sending} - {None}
    edited_there = p not in {base, writing} - {None}
    carried_here, carried_there = s == sending != base, p == writing != base
    if (edited_here and edited_there) or (carried_here and carried_there):
        return winner(on_conflict, newer), True
    if edited_there:  # nobody knows whether it covers what was about to be sent
        return FETCH, sending not in (None, base)
    if edited_here:
        return PUSH, writing not in (None, base)
    return (PUSH if carried_here else FETCH), False


def winner(on_conflict: Winner, newer: int | bool | None) -> int:
    if on_conflict == "newest":
        return PUSH if newer else FETCH
    return PUSH if on_conflict == "snowflake" else FETCH


def cases() -> pl.DataFrame:
    found = [
        {"there": there, "seen": seen, "s0": s, "p0": p if seen else None, "b0": b, "i0": i, "j0": j}
        for (there, seen), s, p, b, i, j in product(
            ((True, True), (True, False), (False, False)), VALUES, VALUES, KNOWN, KNOWN, KNOWN
        )
    ]
    values: dict[str, pl.DataType] = dict.fromkeys(("s0", "p0", "b0", "i0", "j0"), pl.UInt64())
    newer = pl.DataFrame({"newer": [True, False, None]})
    return pl.DataFrame(found, schema_overrides=values).unique(maintain_order=True).join(newer, how="cross")


@pytest.mark.parametrize("on_conflict", ["snowflake", "planhat", "newest"])
@pytest.mark.parametrize("flow", ["to_planhat", "to_snowflake", "both"])
def test_every_case_is_decided_as_the_rule_says(flow: Flow, on_conflict: Winner) -> None:
    decided = decide(cases(), [flow], on_conflict)
    for case in decided.iter_rows(named=True):
        assert (case["d0"], case["c0"]) == rule(flow, on_conflict, case), case


def test_no_value_has_the_fingerprint_that_is_written_down() -> None:
    assert fingerprints(pl.Series([None], dtype=pl.String)).to_list() == [EMPTY]


def test_nothing_is_fetched_that_was_not_seen() -> None:
    decided = decide(cases(), ["both"], "planhat")
    assert decided.filter(pl.col("d0") == FETCH)["seen"].all()


def test_the_new_base_is_the_value_that_stays() -> None:
    decided = decide(cases(), ["both"], "newest")
    assert decided.filter(pl.col("d0") == FETCH).select((pl.col("n0") == pl.col("p0")).all()).item()
    assert decided.filter(pl.col("d0") == PUSH).select((pl.col("n0") == pl.col("s0")).all()).item()
