"""Runs that are killed on order. One process loads the product once and forks a child for each run, which kills itself
with SIGKILL at the step it was told, by wrapping methods in the child alone."""

from __future__ import annotations

import functools
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

PATIENCE = 90  # seconds, the most a test waits for a run


class Mortals:
    """A context manager around the process that forks runs: the program `module`, which ends in `serve`. Runs die
    `when` they come to their step, before or after it, unless a test says otherwise."""

    def __init__(self, module: str, when: str) -> None:
        self._module, self._when = module, when
        self._running = False

    def __enter__(self) -> Mortals:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
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
        when: str = "",
        nth: int = 1,
        items: int = 2,
    ) -> int:
        """Start a run of the spec `facts`, with so many items a request, that dies at the `nth` time it comes to
        `step`; gives its process."""
        order = {"environment": dict(environment), "facts": facts, "step": step, "when": when or self._when}
        order |= {"nth": nth, "items": items}
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


def claim_steps() -> list[tuple[Any, str]]:
    """Every method of the ledger's claim."""
    from planhat_pipelines.ledger import Claim

    return [(Claim, name) for name, of in vars(Claim).items() if not name.startswith("_") and callable(of)]


def die_at(places: Iterable[tuple[Any, str]], when: str, nth: int) -> None:
    """Let this process be killed before or after the nth call of any of these methods or functions."""
    seen = 0
    for owner, name in places:
        real = getattr(owner, name)

        @functools.wraps(real)
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


def serve(loaded: Iterable[str], child: Callable[[dict[str, Any]], None]) -> None:
    """Fork a child for each line. What children would import is imported once, here."""
    for module in loaded:
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
