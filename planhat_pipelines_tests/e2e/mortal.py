"""Runs of a sync that are killed on order. One process loads the product once and forks a child for each run, which
kills itself with SIGKILL at the step it was told, by wrapping methods in the child alone."""

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
LOADED = (
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "pandas.util",
    "planhat_pipelines.engine.usage",
    "planhat_pipelines.engine.environment",
    "pyarrow.parquet",
    "requests",
    "snowflake.connector",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
)


class Mortals:
    """A context manager around the process that forks runs."""

    def __enter__(self) -> Mortals:
        command = [sys.executable, "-m", "planhat_pipelines_tests.e2e.mortal"]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._running = False
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

    def start(
        self,
        environment: Mapping[str, str],
        facts: Mapping[str, Any],
        *,
        step: str = "",
        when: str = "before",
        nth: int = 1,
        items: int = 2,
    ) -> int:
        """Start a run of the spec `facts` that dies at the `nth` time it comes to `step`; gives its process."""
        order = {"environment": dict(environment), "facts": facts}
        order |= {"step": step, "when": when, "nth": nth, "items": items}
        if self._running:  # a test failed before it asked for the end of its run
            self.end()
        self._running = True
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        return self._line()["pid"]

    def end(self) -> str:
        """How the run ended: "killed", "done" or the name of an error."""
        end = self._line()["end"]
        self._running = False
        return end

    def run(self, environment: Mapping[str, str], facts: Mapping[str, Any], **order: Any) -> str:
        """Start a run and wait for its end."""
        self.start(environment, facts, **order)
        return self.end()

    def _line(self) -> Any:
        out = self._process.stdout
        assert out
        if not select.select([out], [], [], PATIENCE)[0]:
            raise TimeoutError("the run neither ended nor died")
        line = out.readline()
        if not line:
            raise RuntimeError(f"the process that forks runs ended with {self._process.wait(PATIENCE)}")
        return json.loads(line)


def die_at(step: str, when: str, nth: int) -> None:
    """Let this process be killed before or after the nth call of a step of the ledger, or of sending."""
    from planhat_pipelines.ledger import Claim
    from planhat_pipelines.planhat.client import Planhat

    places = [(Planhat, "metrics"), (Planhat, "activities")] if step == "send" else [(Claim, step)]
    seen = 0
    for owner, name in places:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, _real: Any = real, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == nth and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = _real(*arguments, **named)
            if seen == nth and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(owner, name, wrapped)


def child(order: dict[str, Any]) -> None:
    """One run."""
    from planhat_pipelines.engine import activities, metrics
    from planhat_pipelines.engine.environment import (
        open_ledger,
        open_planhat,
        planhat_account,
        snowflake_account,
    )
    from planhat_pipelines.engine.usage import usage_sync
    from planhat_pipelines.spec.usage import UsageSpec

    metrics.POINTS_A_REQUEST = activities.ACTIVITIES_A_REQUEST = order["items"]
    if order["step"]:
        die_at(order["step"], order["when"], order["nth"])
    environment = order["environment"]
    with (
        open_ledger(environment) as ledger,
        snowflake_account(environment).connection() as session,
        open_planhat(planhat_account(environment), ledger) as planhat,
    ):
        usage_sync(UsageSpec.model_validate(order["facts"]), session, planhat, ledger, 0.0).run(
            f"mortal {os.getpid()}"
        )


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
        print(json.dumps({"pid": pid}), flush=True)
        os.waitpid(pid, 0)
        end = os.read(reading, 4000).decode() or "killed"
        os.close(reading)
        print(json.dumps({"end": end}), flush=True)


if __name__ == "__main__":
    main()
