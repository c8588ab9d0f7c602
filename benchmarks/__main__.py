"""Run the cases and print their figures: python -m benchmarks [NAMES] [--rows N] [--runs N]."""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path

from benchmarks.harness import Bench, Line, table

CASES = (
    "records",
    "metrics",
    "snowflake",
    "writeback",
    "memory",
    "ledger",
    "budget",
    "latency",
    "loading",
    "tick",
    "drops",
)


def main() -> None:
    """Print one table of all cases, and whether each figure is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; all when left out")
    parser.add_argument(
        "--rows", type=int, action="append", help="instead of 100,000 and 1,000,000; may be repeated"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (3)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        bench = Bench(Path(folder), given.rows or (100_000, 1_000_000), given.runs)
        for name in given.names or CASES:
            for line in importlib.import_module(f"benchmarks.{name}").lines(bench):
                lines.append(line)
                print(table([line]).splitlines()[-1], flush=True)
    print(f"\n{table(lines)}")


if __name__ == "__main__":
    main()
