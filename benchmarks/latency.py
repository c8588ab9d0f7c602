"""Records against a far side that takes its time: requests go one after the other, so it bounds the rows a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.harness import Bench, Line, sink

ROWS = 100_000
CEILING = 200 * 5_000 / 60  # rows a second that Planhat takes (Planhat developers, authentication and limits)


def lines(bench: Bench) -> Iterator[Line]:
    """Without delay, and with a second for each answer."""
    bench.data("accounts", ROWS)
    for seconds in (0.0, 1.0):
        with sink(seconds) as address:
            figures = replace(bench, runs=1).in_turn("benchmarks.records", ["ours"], address, ROWS)["ours"]
        rate = ROWS / min(figure.wall for figure in figures)
        yield Line(
            f"answers after {seconds:g} s: ours",
            figures,
            target=f"{CEILING:,.0f} rows/s",
            reached=rate >= CEILING,
        )
