"""Four processes that call one Planhat as fast as they may: how many calls a minute, and whether any is refused.

The sandbox's Planhat counts as the real one does: 200 calls in any 60 seconds (Planhat developers, limits).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from benchmarks.harness import Bench, Line, Place, measured

COUNTS_CHILDREN = True
PROCESSES, MINUTES, LIMIT, SHARE = 4, 3, 200, 0.95
_WORKER = "from benchmarks.budget import call; call({environment!r}, {calls})"


def call(environment: dict[str, str], calls: int) -> None:
    """Call as often as that, as fast as the budget of the ledger lets us."""
    from planhat_pipelines.engine.environment import open_ledger, open_planhat, planhat_account

    with open_ledger(environment) as ledger, open_planhat(planhat_account(environment), ledger) as planhat:
        for _ in range(calls):
            planhat.probe()


def four(place: Place) -> Callable[[], int]:
    """The processes, which share a ledger as the runs of a deployment do."""
    environment = {
        "PLANHAT_TOKEN": place.file("token").read_text(),
        "PLANHAT_API_URL": place.sink,
        "PLANHAT_LEDGER_URL": f"sqlite:///{place.file('ledger.db')}",
    }
    each = place.rows // PROCESSES
    command = [sys.executable, "-c", _WORKER.format(environment=environment, calls=each)]

    def work() -> int:
        started = [subprocess.Popen(command) for _ in range(PROCESSES)]
        assert not any(process.wait() for process in started)
        return each * PROCESSES

    return work


WORKS = {"four": four}


def lines(bench: Bench) -> Iterator[Line]:
    """The least and the most calls that arrived in any 60 seconds, and how many were over the limit."""
    from planhat_pipelines.sandbox.planhat.server import PlanhatServer

    folder = bench.folder / "budget"
    folder.mkdir()
    with PlanhatServer(folder / "planhat") as planhat:
        planhat.admin("PUT", "switches", {"soft_limit": "refuse"})
        (folder / "token").write_text(planhat.token)
        figure = measured(__name__, "four", Place(str(folder), planhat.api_url, LIMIT * MINUTES))
        log = planhat.admin("GET", "log", limit=2 * LIMIT * MINUTES, host="main")
        over = sum(planhat.admin("GET", "state")["limits"]["over"].values())
    at = sorted(datetime.fromisoformat(entry["at"]).timestamp() for entry in log)
    windows = list(map(partial(_within_a_minute, at), [each for each in at if each < at[-1] - 60]))
    least, most = min(windows), max(windows)
    shown = f"{least} to {most} of {LIMIT} a minute, {over} refused"
    kept = least >= SHARE * LIMIT and most <= LIMIT and not over
    yield Line("budget: four processes", [figure], target=shown, reached=kept)


def _within_a_minute(at: list[float], begin: float) -> int:
    return sum(begin <= each < begin + 60 for each in at)
