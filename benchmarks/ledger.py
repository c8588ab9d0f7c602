"""What the ledger takes, on SQLite: a batch through intend and settle, a claim taken and given back, a budget turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.harness import Bench, Line, Place, Work

ROWS_A_BATCH, TIMES = 5_000, 200


def batch(place: Place) -> Callable[[], int]:
    """Batches of records: keys and fingerprints written down, then the receipt."""
    import numpy as np
    import polars as pl

    from planhat_pipelines.ledger import Ledger

    ledger = Ledger.open(f"sqlite:///{place.file('ledger.db')}")
    keys = [
        pl.Series([f"A{at * ROWS_A_BATCH + row:07d}" for row in range(ROWS_A_BATCH)]) for at in range(TIMES)
    ]
    points = np.random.default_rng(1).integers(0, 2**63, ROWS_A_BATCH).astype(np.uint64)

    def work() -> int:
        with ledger.claim("accounts", "run") as claim:
            window = claim.begin({}, 0)
            for at, rows in enumerate(keys):
                intended = claim.intend(
                    window=window.id,
                    body_hash=f"{at:032x}",
                    purpose="records",
                    items=ROWS_A_BATCH,
                    rows=rows,
                    points=points,
                    dimensions=(),
                    first_day=None,
                    last_day=None,
                )
                claim.settle(intended.id, {"created": ROWS_A_BATCH})
            claim.commit(window, {"at": 1})
        return TIMES

    return work


def claim(place: Place) -> Callable[[], int]:
    """The right to deliver a sync, again and again."""
    from planhat_pipelines.ledger import Ledger

    ledger = Ledger.open(f"sqlite:///{place.file('ledger.db')}")

    def work() -> int:
        for at in range(TIMES):
            with ledger.claim("accounts", f"run{at}") as held:
                held.finish("done", {})
        return TIMES

    return work


def turn(place: Place) -> Callable[[], int]:
    """A turn of the call budget, without waiting for one."""
    from planhat_pipelines.ledger import Budget, Ledger

    ledger = Ledger.open(f"sqlite:///{place.file('ledger.db')}")
    budget = Budget(ledger, "tenant", rate=1e6, burst=10_000)

    def work() -> int:
        for _ in range(TIMES):
            with budget.call():
                pass
        return TIMES

    return work


WORKS: dict[str, Work] = {"batch": batch, "claim": claim, "turn": turn}


def lines(bench: Bench) -> Iterator[Line]:
    """CPU of one of each; the rows are how often it was done."""
    for work, figures in bench.in_turn(__name__, tuple(WORKS), "", 0).items():
        yield Line(f"ledger: {work}", figures, unit="us each")
