"""The one process of `child.py` that this process starts, with the first file that it reads."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading

_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR")
_SET = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # others reserve far more addresses than they use
    "MALLOC_MMAP_THRESHOLD_": "262144",  # give large blocks back at once, so that memory stays flat
    "OPENBLAS_NUM_THREADS": "1",
}
_START_SECONDS = 60


class Parent:
    """Children are forked from a process that has loaded the parsers, which takes most of the time of a small file.

    It gets no environment but what Python needs to start, so a parser that is broken into finds no credentials. It
    ends when this process and its forks, which use it too, have ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: tuple[int, subprocess.Popen[bytes], socket.socket] | None = None

    def connected(self) -> socket.socket:
        """A connection to a new child, which lives no longer than the connection. Raises RuntimeError where none can
        be started."""
        said = ""
        with self._lock:
            for _ in range(2):  # what runs may have been killed: then another is started
                ours, theirs = socket.socketpair()
                ours.settimeout(_START_SECONDS)
                with theirs, contextlib.suppress(OSError):
                    socket.send_fds(self._started(), [b"+"], [theirs.fileno()])
                with contextlib.suppress(OSError):
                    if ours.recv(1):
                        return ours
                ours.close()
                said = self._end()
        raise RuntimeError(f"the file reader does not start: {said.strip().rpartition(chr(10))[2]}")

    def close(self) -> None:
        """Wait for the end of the process; the next file starts another."""
        with self._lock:
            self._end()

    def _started(self) -> socket.socket:
        if not self._running:
            ours, theirs = socket.socketpair()
            environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _SET
            command = [sys.executable, "-m", "planhat_pipelines.files.formats.child"]
            with theirs:
                process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=environment,
                )
            self._running = os.getpid(), process, ours
        return self._running[2]

    def _end(self) -> str:
        if not self._running:
            return ""
        (owner, process, control), self._running = self._running, None
        control.close()
        if owner != os.getpid():
            return ""
        try:
            return process.communicate(timeout=5)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:  # a fork of this process still holds the other end
            process.kill()
            return process.communicate()[1].decode(errors="replace")


PARENT = Parent()
atexit.register(PARENT.close)
