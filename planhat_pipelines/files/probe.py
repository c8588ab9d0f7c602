"""What a store promises: asked once per endpoint and process, as stores that speak S3's language differ."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planhat_pipelines.files.account import is_aws
from planhat_pipelines.files.errors import Changed, FilesError, NotThere

if TYPE_CHECKING:
    from planhat_pipelines.files.bucket import Bucket

SCRATCH = "processed/.probe/"
"""Where a probe writes when nothing else is said; a place that a sync may write to anyway."""


@dataclass(frozen=True, slots=True)
class Guarantees:
    """Which conditions the store honours; `note` says how that is known."""

    put_if_none_match: bool
    copy_if_match: bool
    delete_if_match: bool
    note: str

    def __str__(self) -> str:
        """One line for people."""
        kept = {
            "write only what is new": self.put_if_none_match,
            "copy only what was listed": self.copy_if_match,
            "remove only what was listed": self.delete_if_match,
        }
        return (
            ", ".join(f"{name}: {'yes' if yes else 'no'}" for name, yes in kept.items()) + f" ({self.note})"
        )


_AWS = Guarantees(True, True, True, "documented by AWS")
_lock = threading.Lock()
_known: dict[str, Guarantees] = {}


def guarantees_of(bucket: Bucket) -> Guarantees:
    """Of AWS by its documentation; of any other endpoint by trying, once."""
    endpoint = bucket.client.endpoint
    if is_aws(endpoint):
        return _AWS
    with _lock:
        if endpoint not in _known:
            _known[endpoint] = probe(bucket)
        return _known[endpoint]


def probe(bucket: Bucket) -> Guarantees:
    """Try each condition on a scratch object. What can't be tried counts as not promised."""
    key, copy = (f"{bucket.scratch}{secrets.token_hex(8)}{end}" for end in ("", ".copy"))
    at = {"Bucket": bucket.name, "Key": key}
    stale = '"00000000000000000000000000000000"'

    def refuses(ask: Callable[[Any], object]) -> bool:
        try:
            bucket.client.do("Trying what the store promises", ask)
        except (Changed, NotThere):
            return True
        except FilesError:
            return False
        return False

    try:
        bucket.put(key, b"planhat-pipelines")
    except FilesError as error:
        return Guarantees(False, False, False, f"could not be tried: {type(error).__name__}")
    try:
        return Guarantees(
            put_if_none_match=refuses(lambda s3: s3.put_object(**at, Body=b"again", IfNoneMatch="*")),
            copy_if_match=refuses(
                lambda s3: s3.copy_object(
                    Bucket=bucket.name,
                    Key=copy,
                    CopySource={"Bucket": bucket.name, "Key": key},
                    CopySourceIfMatch=stale,
                )
            ),
            delete_if_match=refuses(lambda s3: s3.delete_object(**at, IfMatch=stale)),
            note="tried",
        )
    finally:
        for left in (key, copy):
            _tidy(bucket, left)


def _tidy(bucket: Bucket, key: str) -> None:
    with contextlib.suppress(
        FilesError
    ):  # a scratch object of a few bytes may stay where removing is not allowed
        bucket.remove_key(key)
