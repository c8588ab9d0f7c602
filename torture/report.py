"""What was done and what held, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torture.rounds import SCENES, Outcome
from torture.scenes import NAMES

ENDS = ("done", "killed", "failed", "hung")


def report(outcomes: Sequence[Outcome], seconds: float) -> str:
    """All of it. `seconds`: how long the rounds took, of which several are under way at once."""
    runs, faults, errors, broken, scenes = Counter[tuple[str, str]](), *(Counter[str]() for _ in range(4))
    for each in outcomes:
        runs += each.runs
        faults += each.faults
        errors += each.errors
        broken += each.violations
        scenes += Counter(each.scenes)
    killed = sum(many for (_, end), many in runs.items() if end == "killed")
    by_sync = [[name, scenes[name], *(runs[name, end] for end in ENDS)] for name in _names(scenes)]
    return "\n".join(
        [
            f"\n{len(outcomes):,} rounds in {seconds / 60:,.1f} minutes: {runs.total():,} runs, {killed:,} killed, "
            f"{faults.total():,} faults, {broken.total():,} violations",
            *_table(["sync", "rounds", *ENDS], by_sync),
            *_table(["fault", "times"], sorted(faults.items())),
            *_table(["error of a run", "times"], sorted(errors.items())),
            *_table(
                ["invariant", "violated", ""],
                [[name, broken[name], promise] for name, promise in NAMES.items()],
            ),
        ]
    )


def _names(scenes: Counter[str]) -> list[str]:
    return [each.__name__ for each in SCENES if scenes[each.__name__]]


def _table(head: list[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    """Columns as wide as what is in them, numbers to the right."""
    cells = [head, *([f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows)]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and isinstance(cell, int) for cell in rows[0]] if rows else [False] * len(head)
    lines = (
        "  ".join(
            cell.rjust(size) if number else cell.ljust(size)
            for cell, size, number in zip(line, wide, right, strict=True)
        ).rstrip()
        for line in cells
    )
    first, *others = lines
    return ["", first, "  ".join("-" * size for size in wide), *others] if rows else []
