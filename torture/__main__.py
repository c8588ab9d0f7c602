"""Kill runs at random and make trouble, round after round, and see what holds: python -m torture [--rounds N]."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from torture.report import report
from torture.rounds import SCENES, Outcome
from torture.workers import Workers

EVERY = 50  # rounds, after which a line tells how far it is


def main() -> int:
    """0 when every invariant held in every round, else 1."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", help="of all rounds; 17/3 plays the third round of seed 17 again")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument(
        "--only", default="", choices=[each.__name__ for each in SCENES], help="one kind of sync"
    )
    usual = (os.cpu_count() or 1) + 1  # as rounds wait now and then
    parser.add_argument("--workers", type=int, default=usual, help=f"rounds at once ({usual})")
    given = parser.parse_args()
    seed, _, one = (given.seed or str(secrets.randbelow(10**9))).partition("/")
    numbers = [int(one)] * given.rounds if one else range(1, given.rounds + 1)
    began = time.monotonic()
    end = began + 60 * given.minutes if given.minutes else float("inf")
    for each in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # in the background too, where a shell lets the first be ignored
        signal.signal(each, signal.default_int_handler)
    print(f"seed {seed}", flush=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        try:
            with Workers(Path(folder), min(given.workers, len(numbers))) as workers:
                for outcome in workers.play([f"{seed}/{number}" for number in numbers], given.only):
                    outcomes.append(outcome)
                    _tell(outcome, outcomes)
                    if time.monotonic() > end:
                        break
        except KeyboardInterrupt:
            print("Stopped. What was seen until then:", flush=True)
    print(report(outcomes, time.monotonic() - began))
    return 1 if any(outcome.violations for outcome in outcomes) else 0


def _tell(outcome: Outcome, outcomes: list[Outcome]) -> None:
    if outcome.violations:
        print(f"VIOLATED in round {outcome.seed} ({', '.join(outcome.scenes)}):", flush=True)
        print("\n".join(f"  {line}" for line in outcome.violations.seen), flush=True)
    if len(outcomes) % EVERY == 0:
        violations = sum(each.violations.total() for each in outcomes)
        print(f"{len(outcomes):,} rounds, {violations:,} violations", flush=True)


if __name__ == "__main__":
    sys.exit(main())
