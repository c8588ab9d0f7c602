"""One bucket: list, look, fetch, put, copy and remove, each bound to the very object that was listed."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from planhat_pipelines.files.account import is_aws
from planhat_pipelines.files.client import S3Client
from planhat_pipelines.files.errors import Changed, Damaged, FilesError, NotThere, WrongRegion
from planhat_pipelines.files.names import shown
from planhat_pipelines.files.probe import SCRATCH, Guarantees, guarantees_of
from planhat_pipelines.files.spool import Spool

LARGE = 8 * 1024 * 1024  # bytes; above it a copy or an upload goes in parts
_PIECE = 1 << 20

Removed = Literal["removed", "newer", "gone"]
"""What became of a removal: done; something newer lies there and stays; nothing was there."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """One version of one object. `modified` is in UTC, to the second, as far as S3 tells it; `etag` is opaque;
    `version` is known once the object was looked at, and only where the bucket keeps versions."""

    key: str
    etag: str
    modified: datetime
    size: int
    version: str | None = None

    def is_same(self, other: S3Object) -> bool:
        return (self.key, self.etag, self.modified) == (other.key, other.etag, other.modified)


@dataclass(frozen=True, slots=True)
class Page:
    """Objects in the order of S3, and the store's own time of the answer."""

    objects: tuple[S3Object, ...]
    now: datetime


class Bucket:
    """The calls raise the errors of errors.py; `NotThere` and `Changed` where they say so."""

    def __init__(self, client: S3Client, name: str, scratch: str = SCRATCH) -> None:
        self.client, self.name, self.scratch = client, name, scratch

    @property
    def guarantees(self) -> Guarantees:
        """What the store promises; asked for once per endpoint and process."""
        return guarantees_of(self)

    def check(self, prefix: str = "") -> None:
        """That the bucket is there, in the account's region, and may be listed. Raises what is wrong."""
        answer = self._do(
            f"Listing {self._at(prefix)}", "list_objects_v2", Bucket=self.name, Prefix=prefix, MaxKeys=1
        )
        region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        if region and is_aws(self.client.endpoint) and region != self.client.account.region:
            raise WrongRegion(
                f"The bucket {self.name} is in {region}, the account says {self.client.account.region}. "
                f"Set region: {region}."
            )

    def pages(self, prefix: str = "", *, only_folder: bool = False) -> Generator[Page]:
        """All objects below a prefix, a thousand a call. `only_folder`: not those in folders below it."""
        ask: dict[str, Any] = {"Bucket": self.name, "Prefix": prefix}
        if only_folder:
            ask["Delimiter"] = "/"
        while True:
            answer = self._do(f"Listing {self._at(prefix)}", "list_objects_v2", **ask)
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            now = parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
            yield Page(tuple(_listed(item) for item in answer.get("Contents", ())), now)
            if not answer.get("IsTruncated"):
                return
            ask["ContinuationToken"] = answer["NextContinuationToken"]

    def look(self, key: str) -> S3Object:
        """The object as it is now, with its version. Raises NotThere, Damaged."""
        doing = f"Looking at {self._at(key)}"
        try:
            answer = self._do(doing, "head_object", Bucket=self.name, Key=key)
        except NotThere:
            raise
        except FilesError:
            # HEAD is answered without a reason; one byte of GET is answered with one
            self._do(doing, "get_object", Bucket=self.name, Key=key, Range="bytes=0-0")["Body"].close()
            raise
        if not {"ETag", "LastModified", "ContentLength"} <= answer.keys():  # which http.client lets through
            raise Damaged(f"{doing}: the head of the answer broke off. The next run looks again.")
        version = answer.get("VersionId")
        return S3Object(
            key, answer["ETag"], _second(answer["LastModified"]), answer["ContentLength"], version
        )

    def fetch(self, item: S3Object, spool: Spool, path: Path) -> str:
        """This very object, whole, at `path`; returns its SHA-256. Raises NotThere, Changed, Damaged."""
        doing = f"Reading {self._at(item.key)}"

        def read(s3: Any) -> tuple[str, int]:
            body = s3.get_object(Bucket=self.name, Key=item.key, IfMatch=item.etag, **_versioned(item))[
                "Body"
            ]
            digest, size = hashlib.sha256(), 0
            with spool.writing(path) as file:
                for piece in body.iter_chunks(_PIECE):
                    file.write(piece)
                    digest.update(piece)
                    size += len(piece)
                if size != item.size:
                    raise Damaged(
                        f"{doing}: {size} bytes came instead of {item.size}. The next run reads again."
                    )
            return digest.hexdigest(), size

        return self.client.do(doing, read)[0]

    def read(self, key: str) -> bytes:
        """A small object. Raises NotThere."""
        return self.client.do(
            f"Reading {self._at(key)}", lambda s3: s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        )

    def put(self, key: str, content: bytes | Path, kind: str = "application/octet-stream") -> None:
        """Write an object whole: bytes, or a local file in parts when it is large."""
        doing = f"Writing {self._at(key)}"
        if isinstance(content, bytes):
            self._do(doing, "put_object", Bucket=self.name, Key=key, Body=content, ContentType=kind)
            return

        def upload(s3: Any) -> None:
            with content.open("rb") as file:
                s3.upload_fileobj(file, self.name, key, ExtraArgs={"ContentType": kind})

        self.client.do(doing, upload)

    def copy(self, item: S3Object, key: str) -> None:
        """Copy this very object to `key` within the bucket. Raises NotThere, Changed (where the store honours
        conditions), Damaged when the copy has another size."""
        source = {
            "Bucket": self.name,
            "Key": item.key,
            **_versioned(item),
        }  # a dict, as the SDK then quotes it

        def copied(s3: Any) -> None:
            if item.size <= LARGE:
                s3.copy_object(Bucket=self.name, Key=key, CopySource=source, CopySourceIfMatch=item.etag)
            else:
                s3.copy(source, self.name, key, ExtraArgs={"CopySourceIfMatch": item.etag})

        doing = f"Copying {self._at(item.key)} to {self._at(key)}"
        self.client.do(doing, copied)
        size = self.look(key).size
        if size != item.size:
            raise Damaged(
                f"{doing}: the copy has {size} bytes instead of {item.size}. The next run copies again."
            )

    def remove(self, item: S3Object) -> Removed:
        """Take this very object away: a delete marker where versions are kept, as the removal of a version would
        bring the one before it back. A newer object under the key stays.

        Where the store does not honour a condition, what lies there is compared right before: something that is
        written in the few milliseconds between is lost, but in a bucket that keeps versions.
        """
        try:
            if not self.look(item.key).is_same(item):
                return "newer"
            condition = {"IfMatch": item.etag} if self.guarantees.delete_if_match else {}
            self._do(
                f"Removing {self._at(item.key)}", "delete_object", Bucket=self.name, Key=item.key, **condition
            )
        except NotThere:
            return "gone"
        except Changed:
            return "newer"
        return "removed"

    def remove_key(self, key: str) -> None:
        """Take away whatever lies under a key; nothing is fine too."""
        self._do(f"Removing {self._at(key)}", "delete_object", Bucket=self.name, Key=key)

    def _do(self, doing: str, operation: str, **arguments: Any) -> dict[str, Any]:
        return self.client.do(doing, lambda s3: getattr(s3, operation)(**arguments))

    def _at(self, key: str) -> str:
        return f"{shown(key)} in bucket {self.name}"


def _versioned(item: S3Object) -> dict[str, str]:
    return {"VersionId": item.version} if item.version else {}


def _listed(item: Mapping[str, Any]) -> S3Object:
    return S3Object(item["Key"], item["ETag"], _second(item["LastModified"]), item["Size"])


def _second(stamp: datetime) -> datetime:
    """To the second: a listing may tell more than an answer to HEAD."""
    return stamp.astimezone(UTC).replace(microsecond=0)
