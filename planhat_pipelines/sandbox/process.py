"""A server of the sandbox as a process of its own, started and ended from Python."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self

READY_WITHIN = 60.0  # seconds
STOPPED_WITHIN = 10.0


class ServerProcess(ABC):
    """A context manager around a module that prints its ports as a line of JSON once it answers.

    Stopped and started on the same folder it goes on as it was. Raises RuntimeError when the process ends, or is not
    ready in time; its standard error says why.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _arguments(self) -> Sequence[str]:
        """The command line of the module."""

    @abstractmethod
    def _ready(self, ports: Mapping[str, int]) -> None:
        """It answers on these ports."""

    @property
    def process_id(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start the process and wait until it answers."""
        command = [sys.executable, "-m", self.module, *self._arguments()]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            self._ready(json.loads(self._first_line(self._process)))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, *, kill: bool = False) -> None:
        """Ask the process to save and stop, and end it by force when it does not, or when it is to have no time for it
        (`kill`). May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if kill else process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOPPED_WITHIN)
        finally:
            if process.stdout:
                process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None  # noqa: S101  (asked for above)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(READY_WITHIN)
        line = process.stdout.readline() if ready else b""
        if not line:
            ended = f"ended with code {process.wait(STOPPED_WITHIN)}" if ready else ""
            state = ended or f"was not ready within {READY_WITHIN:.0f} seconds"
            raise RuntimeError(f"The local {self.name} {state}. Its standard error says why.")
        return line
