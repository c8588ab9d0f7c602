"""An SQS on loopback, and what S3 writes into it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_SERVER = (
    "from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, verbose=False); s.start();"
    "print(s.get_host_and_port()[1], flush=True); input()"
)


@contextmanager
def local_sqs() -> Generator[str]:
    """The address of moto's SQS, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def event(key: str, sequencer: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """One record of a message; the key as S3 writes it there."""
    told = {"bucket": {"name": "drops"}, "object": {"key": key, "sequencer": sequencer}}
    return {"eventName": name, "s3": told}


def message(*records: dict[str, Any]) -> str:
    """A message's body."""
    return json.dumps({"Records": list(records)})
