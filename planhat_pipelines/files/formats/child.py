"""The processes that parse. One loads the parsers, once, and is forked for every file: the fork watches over a fork
of its own, which is bounded in memory, time and output, and gone when the process that asked is."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import traceback
import warnings
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.convert import convert
from planhat_pipelines.files.formats.model import MB, FileOptions, Limits, Unreadable


def main(control: socket.socket) -> None:
    """Fork for each connection that comes over `control`, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks hears it too, and hangs up
    warnings.simplefilter("ignore")  # those of the parsers
    importlib.import_module("pyarrow.csv")  # which `convert` imports when it needs it
    while passed := socket.recv_fds(control, 1, 1)[1]:
        with socket.socket(fileno=passed[0]) as connection:
            if os.fork() == 0:
                try:
                    control.close()
                    os.dup2(1, 2)  # to nobody: what parsers complain of may quote the file
                    _watch(connection)
                finally:
                    os._exit(0)
        while _ended(os.WNOHANG):
            pass
    while _ended(0):
        pass


def _ended(how: int) -> bool:
    try:
        return os.waitpid(-1, how)[0] > 0
    except ChildProcessError:
        return False


def _watch(connection: socket.socket) -> None:
    """Say that we are here, let a fork answer, kill it when nobody waits for the answer any more, and tell how it
    ended."""
    connection.sendall(b"+")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _answer(connection)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)  # so that the pipe is at its end when the child is
    poll = select.poll()
    for each in (connection.fileno(), reading):
        poll.register(each, 0)  # a closed end is told without being asked for
    if any(each != reading for each, _ in poll.poll()):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(str(code).encode())


def _answer(connection: socket.socket) -> None:
    """Do the job that `read` describes, and say what was found or why it could not be read, as JSON in a line."""
    with connection.makefile("rb") as lines:
        given: dict[str, Any] = json.loads(lines.readline())
    options, limits = FileOptions(**given["options"]), Limits(**given["limits"])
    _bind(limits)
    try:
        answer: dict[str, Any] = convert(Path(given["path"]), Path(given["folder"]), options, limits)
    except Unreadable as error:
        answer = {"unreadable": {"what": error.what, "where": error.where, "cure": error.cure}}
    except MemoryError:
        what = f"reading the file takes more than {limits.memory_bytes // MB:,} MB of memory"
        answer = {"unreadable": {"what": what, "cure": "Split it into smaller files, or send it as CSV"}}
    except BaseException as error:  # parsers raise whatever they like, panics included
        if isinstance(error, OSError) and error.errno is not None:  # the disk or the folder, not the file
            answer = {"failed": f"{type(error).__name__}: {error}"}
        else:
            answer = {"unreadable": {"what": _unexpected(error), "cure": "Save it again, or send it as CSV"}}
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _bind(limits: Limits) -> None:
    for what, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.unpacked_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))


def _unexpected(error: BaseException) -> str:
    """Kind and place of an error; its text may quote the file and stays here."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "planhat_pipelines" in frame.filename]
    place = f", {Path(ours[-1].filename).name} line {ours[-1].lineno}" if ours else ""
    return f"the file is damaged in a way the reader does not know ({type(error).__name__}{place})"


if __name__ == "__main__":
    main(socket.socket(fileno=0))
