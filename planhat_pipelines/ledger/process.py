"""Who this process is, and whether another one of this machine is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TypedDict


class Process(TypedDict):
    """A process among all machines and all times: a pid alone may be somebody else's tomorrow."""

    host: str
    pid: int
    started: str


def this_process() -> Process:
    """The calling process; asked for anew each time, as a fork changes the answer."""
    pid = os.getpid()
    return {"host": _host(), "pid": pid, "started": (_stat(pid) or ("", ""))[1]}


def is_gone(process: Process) -> bool:
    """True when the process certainly ended; a process of another machine or container can't be judged."""
    if process["host"] != _host():
        return False
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # alive, of another user
    stat = _stat(process["pid"])
    if stat is None:  # no /proc here, or not ours to read: the pid is taken, so take it for alive
        return False
    state, started = stat
    return state in "ZX" or started != process["started"]


def _host() -> str:
    """Name of the machine, this boot of it and this container: only there do pids mean the same."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass  # not Linux
    return " ".join(parts)


def _stat(pid: int) -> tuple[str, str] | None:
    """State letter and start time (clock ticks since boot) of a process, where the system tells."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return after_name[0], after_name[19]
