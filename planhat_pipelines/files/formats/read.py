"""Read a file in a child process that may fail in any way without taking this one along."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.model import MB, FileOptions, Limits, Reading, Unreadable
from planhat_pipelines.files.formats.parent import PARENT


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
    job = {"path": str(path.absolute()), "folder": str(folder.absolute())}
    code, found = _run(job | {"options": asdict(options), "limits": asdict(limits)}, limits)
    if code < 0:
        raise _killed(-code, limits)
    if code > 0 or "failed" in found:
        raise RuntimeError(f"the file reader failed (exit status {code}): {found.get('failed', 'no answer')}")
    if "unreadable" in found:
        raise Unreadable(**found["unreadable"])
    for name in ("pieces", "refused_pieces"):
        found[name] = tuple(folder / piece for piece in found[name])
    for name in ("columns", "numeric", "warnings"):
        found[name] = tuple(found.get(name, ()))
    return Reading(**found)


def _run(job: dict[str, Any], limits: Limits) -> tuple[int, dict[str, Any]]:
    """Exit status and answer of one child."""
    said = b""
    with PARENT.connected() as connection:
        connection.settimeout(limits.wall_seconds)
        try:
            connection.sendall(json.dumps(job).encode() + b"\n")
            while part := connection.recv(1 << 16):
                said += part
        except TimeoutError:
            raise Unreadable(
                f"reading the file took longer than {limits.wall_seconds} seconds",
                cure="Split it into smaller files",
            ) from None
    *answer, code = said.decode().split("\n")
    return int(code or 1), json.loads(answer[0]) if answer else {}


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
