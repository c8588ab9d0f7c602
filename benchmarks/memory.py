"""Peak memory of a first run and of one in which nothing has changed: flat, however long the table is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.harness import Bench, Line, sink

SMALL, LARGE, MOST = 100_000, 1_000_000, 1.3
_WORKS = (
    ("records", "accounts", "ours"),
    ("records", "accounts", "again"),
    ("metrics", "usage", "ours"),
)


def lines(bench: Bench) -> Iterator[Line]:
    """For each piece of work both sizes, and the ratio of their peaks as the target of the larger."""
    for module, kind, work in _WORKS:
        found: list[Line] = []
        for rows in (SMALL, LARGE):
            bench.data(kind, rows)
            with sink() as address:
                figures = replace(bench, runs=1).in_turn(f"benchmarks.{module}", [work], address, rows)[work]
            found.append(Line(f"memory, {module}: {work}", figures))
        small, large = (line.best.peak_mb for line in found)
        yield found[0]
        yield replace(
            found[1], target=f"{large / small:.2f} (1.3) x {small:,.0f} MB", reached=large / small <= MOST
        )
