"""The folder of a sandbox: what it holds, and that only one sandbox uses it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

LEDGER = "ledger.db"
_OWN = ("sandbox.json", "env", "snowflake", "snowflake.key", "users.json", "s3", "planhat")
_LOCK = "lock"


class SandboxError(RuntimeError):
    """The sandbox cannot start; the text says why and what to do."""


def is_running(folder: Path) -> bool:
    """Whether a sandbox runs on the folder."""
    with ExitStack() as stack:
        try:
            lock(folder, stack)
        except SandboxError:
            return True
    return False


def read_facts(folder: Path) -> dict[str, Any]:
    """What sandbox.json holds; empty when there is none."""
    file = folder / "sandbox.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write sandbox.json and env."""
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in facts["environment"].items())
    write_secret(folder / "env", exports)
    write_secret(folder / "sandbox.json", json.dumps(facts, indent=2) + "\n")


def lock(folder: Path, stack: ExitStack) -> None:
    """Held until the stack is closed; the system lets go of it when the process dies."""
    file = stack.enter_context((folder / _LOCK).open("a"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SandboxError(
            f"A sandbox already runs on {folder} (process {read_facts(folder).get('pid', 'unknown')}). "
            f"Use it: source {folder / 'env'}; or stop it; or give another --folder."
        ) from None


def end_orphans(folder: Path, servers: Iterable[int]) -> None:
    """End servers of a sandbox that was killed and could not stop them: they hold its ports and files.

    Only processes whose command line names this folder; their ids may have been given to others since.
    """
    for process in servers:
        for _ in range(50):
            shown = subprocess.run(
                ["ps", "-ww", "-p", str(process), "-o", "args="], capture_output=True, text=True, check=False
            )
            if "planhat_pipelines.sandbox." not in shown.stdout or str(folder) not in shown.stdout:
                break
            os.kill(process, signal.SIGTERM)
            time.sleep(0.1)


def forget(folder: Path) -> None:
    """Empty the folder of a sandbox; one that holds anything else is left alone."""
    ledger = [f"{LEDGER}{end}" for end in ("", "-wal", "-shm", "-journal")]
    strange = sorted({item.name for item in folder.iterdir()} - {*_OWN, *ledger, _LOCK})
    if strange:
        raise SandboxError(
            f"{folder} holds {strange[0]!r}, which is no part of a sandbox, so nothing was deleted. "
            "Give an empty folder, or one that only the sandbox uses."
        )
    for name in (*_OWN, *ledger):
        item = folder / name
        if item.is_dir():
            shutil.rmtree(item)
        else:
            item.unlink(missing_ok=True)


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner may read, all of it or nothing."""
    beside = file.with_name(f"{file.name}.new")
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as out:
        out.write(text)
    beside.replace(file)
