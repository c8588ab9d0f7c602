"""Runs of a records sync that die by SIGKILL at a step that was drawn. One process loads the product once and forks."""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

PATIENCE = 30  # seconds, the most a test waits for a run
LOADED = ("pandas.util", "planhat_pipelines.engine.crm", "planhat_pipelines.engine.environment", "requests")
LOADED += (
    "planhat_pipelines.engine.twoway.build",
    "planhat_pipelines_tests.twoway.pair",
)
LOADED += ("snowflake.connector", "sqlalchemy.dialects.sqlite", "tenacity", "pyarrow")


class Mortals:
    """A context manager around the process that forks runs."""

    def __enter__(self) -> Mortals:
        command = [sys.executable, "-m", "planhat_pipelines_tests.records.mortal"]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()

    def run(
        self, environment: Mapping[str, str], facts: Mapping[str, Any], step: int, *, overlap: float = 300.0
    ) -> str:
        """A run that dies before or after its step number `step` (odd: before), if it comes so far; how it ended.
        `overlap`: see `twoway.pair.hasten`."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"environment": dict(environment), "facts": facts, "step": step, "overlap": overlap}
        self._process.stdin.write(json.dumps(order) + "\n")
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError("the run neither ended nor died")
        return json.loads(self._process.stdout.readline())["end"]


def die_at(step: int) -> None:
    """Every write to the ledger, to Planhat and to Snowflake has a moment before it and one after it; die at one."""
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.snowflake.writeback import Target

    names = [name for name, value in vars(Claim).items() if not name.startswith("_") and callable(value)]
    passed = 0

    def moment() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    others = [(Planhat, "upsert"), (Target, "write"), (Target, "mark_gone")]
    for owner, name in [*((Claim, name) for name in names), *others]:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, _real: Any = real, **named: Any) -> Any:
            moment()
            answer = _real(*arguments, **named)
            moment()
            return answer

        setattr(owner, name, wrapped)


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine import records
    from planhat_pipelines.engine.crm import records_sync
    from planhat_pipelines.engine.environment import (
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.twoway.build import two_way_sync
    from planhat_pipelines.snowflake.records import RecordsTable
    from planhat_pipelines.spec.records import RecordsSpec
    from planhat_pipelines_tests.twoway.pair import hasten, make_small

    records.ITEMS_A_REQUEST = 3
    die_at(order["step"])
    environment = order["environment"]
    with (
        open_ledger(environment) as ledger,
        snowflake_account(environment).connection() as session,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        spec = RecordsSpec.model_validate(order["facts"])
        if spec.direction == "to_planhat":
            sync: Any = records_sync(spec, session, planhat, ledger)
        else:
            make_small(setattr)
            sync = hasten(two_way_sync(spec, session, planhat, ledger), order["overlap"])
        assert isinstance(sync.source, RecordsTable)
        sync.source.lag = 0.0
        sync.run(f"mortal {os.getpid()}")


def main() -> None:
    """Fork a child for each line. What children would import is imported once, here."""
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            end = "done"
            try:
                child(json.loads(line))
            except BaseException as error:
                end = f"{type(error).__name__}: {error}"
            os.write(writing, end.encode()[:4000])
            os._exit(0)
        os.close(writing)
        os.waitpid(pid, 0)
        end = os.read(reading, 4000).decode() or "killed"
        os.close(reading)
        print(json.dumps({"end": end}), flush=True)


if __name__ == "__main__":
    main()
