"""Read a file in a child process that may fail in any way without taking this one along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.model import MB, FileOptions, Limits, Reading, Unreadable

_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR")
_MEMORY = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # others reserve far more addresses than they use
    "MALLOC_MMAP_THRESHOLD_": "262144",  # give large blocks back at once, so that memory stays flat
}


def read(
    path: Path, folder: Path, options: FileOptions | None = None, limits: Limits | None = None
) -> Reading:
    """Parse the file at `path` into Parquet pieces in `folder`, which is made (mode 0700) and must be empty.

    The child gets no environment but what Python needs to start, so a parser that is broken into finds no
    credentials. It ends when this process ends. Raises Unreadable when the file cannot be read, ValueError when
    the folder is not empty, and RuntimeError when the reader itself fails, as on a full disk. After an error
    what the folder holds is of no use.
    """
    options, limits = options or FileOptions(), limits or Limits()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: give each reading a folder of its own")
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise Unreadable(
            f"the file has {size:,} bytes, more than the {limits.file_bytes:,} that are read",
            cure="Split it into smaller files",
        )
    job = {"path": str(path), "folder": str(folder), "options": asdict(options), "limits": asdict(limits)}
    code, answer, complaint = _run(json.dumps(job), limits)
    if code < 0:
        raise _killed(-code, limits)
    if code > 0:
        raise RuntimeError(f"the file reader failed (exit status {code}): {complaint}")
    found: dict[str, Any] = json.loads(answer)
    if "unreadable" in found:
        raise Unreadable(**found["unreadable"])
    for name in ("pieces", "refused_pieces"):
        found[name] = tuple(folder / piece for piece in found[name])
    for name in ("columns", "numeric", "warnings"):
        found[name] = tuple(found.get(name, ()))
    return Reading(**found)


def _run(job: str, limits: Limits) -> tuple[int, bytes, str]:
    """Exit status, standard output, and the last line of standard error, of one child."""
    command = [sys.executable, "-m", "planhat_pipelines.files.formats.child", job]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _MEMORY
    lifeline, ours = os.pipe()  # closes when this process ends, however it ends
    try:
        child = subprocess.Popen(
            command, stdin=lifeline, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        with child:
            try:
                answer, complaint = child.communicate(timeout=limits.wall_seconds)
            except subprocess.TimeoutExpired:
                raise Unreadable(
                    f"reading the file took longer than {limits.wall_seconds} seconds",
                    cure="Split it into smaller files",
                ) from None
            finally:
                child.kill()
    finally:
        os.close(lifeline)
        os.close(ours)
    return child.returncode, answer, complaint.decode(errors="replace").strip().rpartition("\n")[2]


def _killed(number: int, limits: Limits) -> Unreadable:
    if number == signal.SIGXCPU:
        return Unreadable(
            f"reading the file took more than {limits.cpu_seconds} seconds of CPU",
            cure="Split it into smaller files",
        )
    name = signal.Signals(number).name
    return Unreadable(
        f"this file cannot be read: the reader crashed ({name}) or ran out of its "
        f"{limits.memory_bytes // MB:,} MB of memory",
        cure="Save it again from the program it came from, or send it as CSV",
    )
