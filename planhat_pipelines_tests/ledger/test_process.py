"""When a process may be taken for gone, and when it may not."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from planhat_pipelines.ledger.process import is_gone, this_process
from planhat_pipelines_tests.ledger.worker import workers


def introduce(pipe: Connection) -> None:
    pipe.send(this_process())
    pipe.recv()


def test_a_living_process_is_not_gone_and_a_killed_one_is() -> None:
    with workers(1, introduce) as (worker,):
        process = worker.hear()
        assert not is_gone(process)
        worker.kill()
        assert is_gone(process)


def test_a_killed_process_that_nobody_waited_for_is_gone() -> None:
    reader, writer = os.pipe()
    child = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", "echo x; exec sleep 60"],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
    )
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"x"
        started = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19]
        process = this_process() | {"pid": child, "started": started}
        assert not is_gone(process)
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
        assert is_gone(process)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_pid_that_was_given_to_another_process_does_not_pass_for_the_old_one() -> None:
    assert is_gone(this_process() | {"started": "1"})


def test_a_process_of_another_machine_is_never_taken_for_gone() -> None:
    assert not is_gone({"host": "elsewhere", "pid": 2**22, "started": "1"})
    assert is_gone(this_process() | {"pid": 2**22 + 1})
