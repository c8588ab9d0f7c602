"""Kill runs at random and make trouble, round after round, and see what holds: python -m torture [--rounds N]."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from torture.rounds import SCENES, Outcome, play
from torture.scenes import NAMES
from torture.stage import Stage


def main() -> int:
    """0 when every invariant held in every round, else 1."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", help="of all rounds; 17/3 plays the third round of seed 17 again")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument(
        "--only", default="", choices=[each.__name__ for each in SCENES], help="one kind of sync"
    )
    given = parser.parse_args()
    seed, _, one = (given.seed or str(secrets.randbelow(10**9))).partition("/")
    numbers = [int(one)] * given.rounds if one else range(1, given.rounds + 1)
    end = time.monotonic() + 60 * given.minutes if given.minutes else float("inf")
    print(f"seed {seed}", flush=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="torture-") as folder, Stage(Path(folder)) as stage:
        for place, number in enumerate(numbers):
            if time.monotonic() > end:
                break
            outcome = play(stage, f"{seed}/{number}", place, given.only)
            outcomes.append(outcome)
            if outcome.violations:
                print(f"VIOLATED in round {outcome.seed} ({', '.join(outcome.scenes)}):", flush=True)
                print("\n".join(f"  {line}" for line in outcome.violations.seen), flush=True)
    print(report(outcomes))
    return 1 if any(outcome.violations for outcome in outcomes) else 0


def report(outcomes: list[Outcome]) -> str:
    """What was done and what held, as tables."""
    runs, faults, errors, broken, scenes = (
        sum((Counter(part) for part in parts), Counter[str]())
        for parts in zip(
            *((each.runs, each.faults, each.errors, each.violations, each.scenes) for each in outcomes),
            strict=True,
        )
    )
    seconds = sum(each.seconds for each in outcomes)
    lines = [
        f"{len(outcomes):,} rounds in {seconds:,.0f} s, {runs.total():,} runs, "
        f"{runs['killed']:,} killed, {faults.total():,} faults, {broken.total():,} violations",
        *_table("syncs", scenes),
        *_table("runs that ended as", runs),
        *_table("faults", faults),
        *_table("errors of runs", errors),
        "\nviolations",
        *(f"  {broken[name]:>6,}  {name:<10}  {promise}" for name, promise in NAMES.items()),
    ]
    return "\n".join(lines)


def _table(title: str, counts: Counter[str]) -> list[str]:
    return [f"\n{title}", *(f"  {count:>6,}  {name}" for name, count in sorted(counts.items()))]


if __name__ == "__main__":
    sys.exit(main())
