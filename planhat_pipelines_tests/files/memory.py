# ruff: noqa: N803  (arguments are named as in S3's API)
"""S3 in memory with a clock of its own, for thousands of schedules; answers and refuses as botocore's client does."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, BinaryIO

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from planhat_pipelines.files import S3Account, S3Client
from planhat_pipelines.files.errors import translated


@dataclass(frozen=True)
class Stored:
    content: bytes
    modified: datetime
    version: str | None

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'

    @property
    def told(self) -> dict[str, Any]:
        version = {"VersionId": self.version} if self.version else {}
        return {
            "ETag": self.etag,
            "LastModified": self.modified,
            "ContentLength": len(self.content),
            **version,
        }


@dataclass
class MemoryS3:
    """`versioned`: keeps versions. `honest`: honours conditions on COPY and DELETE. `removed`: what was taken away."""

    versioned: bool = False
    honest: bool = True
    now: datetime = datetime(2026, 11, 22, tzinfo=UTC)
    objects: dict[str, list[Stored | None]] = field(default_factory=dict)  # None: a delete marker
    removed: list[tuple[str, Stored]] = field(default_factory=list)
    writes: int = 0
    listings: int = 0

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def current(self, key: str) -> Stored | None:
        return self.objects.get(key, [None])[-1]

    def take_back(self, key: str) -> None:
        """What a supplier's own DELETE does."""
        if key in self.objects:
            self.objects[key] = [*self.objects[key], None] if self.versioned else [None]

    def put_object(
        self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "", **_: Any
    ) -> dict[str, Any]:
        if IfNoneMatch and self.current(Key):
            raise _refusal("PutObject", 412, "PreconditionFailed")
        self.writes += 1
        stored = Stored(Body, self.now.replace(microsecond=0), f"v{self.writes}" if self.versioned else None)
        self.objects[Key] = [*(self.objects.get(Key, []) if self.versioned else []), stored]
        return stored.told

    def upload_fileobj(self, file: BinaryIO, bucket: str, key: str, ExtraArgs: dict[str, Any]) -> None:
        self.put_object(bucket, key, file.read())

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return self._found("HeadObject", Key).told

    def get_object(self, Bucket: str, Key: str, IfMatch: str = "", VersionId: str = "") -> dict[str, Any]:
        found = self._found("GetObject", Key, VersionId)
        if IfMatch and found.etag != IfMatch:
            raise _refusal("GetObject", 412, "PreconditionFailed")
        return {**found.told, "Body": StreamingBody(io.BytesIO(found.content), len(found.content))}

    def copy_object(self, Bucket: str, Key: str, CopySource: dict[str, str], CopySourceIfMatch: str) -> None:
        source = self._found("CopyObject", CopySource["Key"], CopySource.get("VersionId", ""))
        if self.honest and source.etag != CopySourceIfMatch:
            raise _refusal("CopyObject", 412, "PreconditionFailed")
        self.put_object(Bucket, Key, source.content)

    def delete_object(self, Bucket: str, Key: str, IfMatch: str = "") -> None:
        found = self.current(Key)
        if IfMatch and self.honest:
            if not found:
                raise _refusal("DeleteObject", 404, "NoSuchKey")
            if found.etag != IfMatch:
                raise _refusal("DeleteObject", 412, "PreconditionFailed")
        if found:
            self.removed.append((Key, found))
            self.take_back(Key)

    def list_objects_v2(self, Bucket: str, Prefix: str, Delimiter: str = "", **_: Any) -> dict[str, Any]:
        self.listings += 1
        keys = sorted((key for key in self.objects if key.startswith(Prefix)), key=str.encode)
        there = [(key, found) for key in keys if (found := self.current(key))]
        contents = [
            {"Key": key, "ETag": found.etag, "LastModified": found.modified, "Size": len(found.content)}
            for key, found in there
            if not (Delimiter and Delimiter in key[len(Prefix) :])
        ]
        date = format_datetime(self.now, usegmt=True)
        return {
            "Contents": contents,
            "IsTruncated": False,
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def _found(self, operation: str, key: str, version: str = "") -> Stored:
        found = self.current(key)
        if version:
            found = next((one for one in self.objects.get(key, []) if one and one.version == version), None)
        if not found:
            raise _refusal(operation, 404, "NoSuchVersion" if version else "NoSuchKey")
        return found


class MemoryClient(S3Client):
    """`point` is called before and after each call."""

    def __init__(self, s3: MemoryS3, point: Callable[[], None]) -> None:
        super().__init__(S3Account(region="us-east-1"))
        self._s3, self._point = s3, point
        self._name = f"memory://{secrets.token_hex(8)}"

    @property
    def endpoint(self) -> str:
        return self._name

    def do(self, doing: str, ask: Callable[[Any], Any], service: str = "s3") -> Any:
        self._point()
        try:
            answer = ask(self._s3)
        except ClientError as error:
            raise translated(error, doing) from None
        self._point()
        return answer


def _refusal(operation: str, status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}}
    return ClientError(answer, operation)
