"""The local S3 as a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planhat_pipelines.sandbox.process import ServerProcess
from planhat_pipelines.sandbox.s3.access import Access


class S3Server(ServerProcess):
    """An S3 with one bucket, whose state is kept in `folder`; port 0 takes a free one."""

    name = "S3"
    module = "planhat_pipelines.sandbox.s3"

    def __init__(self, folder: Path, *, bucket: str, port: int = 0) -> None:
        self.folder, self.bucket, self.port = folder, bucket, port

    @property
    def endpoint(self) -> str:
        """Where S3 and STS answer."""
        return f"http://127.0.0.1:{self.port}"

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

    def _arguments(self) -> Sequence[str]:
        return ["--port", str(self.port), "--folder", str(self.folder), "--bucket", self.bucket]

    def _ready(self, ports: Mapping[str, int]) -> None:
        self.port = ports["port"]
