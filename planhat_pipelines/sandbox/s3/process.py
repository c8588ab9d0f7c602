"""The local S3 as a process of its own, started and ended from Python."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from planhat_pipelines.sandbox.s3.access import Access

READY_WITHIN = 60.0  # seconds
STOPPED_WITHIN = 10.0


class S3Server:
    """A context manager around the server process; stopped and started on the same folder it goes on as it was.

    Raises RuntimeError when the server ends, or is not ready in time; its standard error says why.
    """

    def __init__(self, folder: Path, *, bucket: str, port: int = 0) -> None:
        self.folder, self.bucket, self.port = folder, bucket, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where S3 and STS answer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def access(self) -> Access:
        """The sign-in that the server checks; there once it has started."""
        return Access.read(self.folder / "access.json")

    @property
    def client_args(self) -> dict[str, Any]:
        """What `boto3.client("s3", ...)` needs."""
        access = self.access
        return {
            "endpoint_url": self.endpoint,
            "region_name": access.region,
            "aws_access_key_id": access.access_key_id,
            "aws_secret_access_key": access.secret_access_key,
        }

    def start(self) -> S3Server:
        """Start the process and wait until it checks sign-in."""
        command = [sys.executable, "-m", "planhat_pipelines.sandbox.s3", "--port", str(self.port)]
        command += ["--folder", str(self.folder), "--bucket", self.bucket]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            self.port = int(json.loads(_first_line(self._process))["port"])
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ask the process to save and stop; end it by force when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOPPED_WITHIN)
        finally:
            if process.stdout:
                process.stdout.close()

    def __enter__(self) -> S3Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None  # noqa: S101  (asked for above)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        ready = selector.select(READY_WITHIN)
    line = process.stdout.readline() if ready else b""
    if not line:
        state = "ended" if ready else f"was not ready within {READY_WITHIN:.0f} seconds"
        raise RuntimeError(f"The local S3 {state}. Its standard error says why.")
    return line
