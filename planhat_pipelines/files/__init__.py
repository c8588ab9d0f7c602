"""Files in S3: sign-in, buckets, drops and their way into the archive."""

from __future__ import annotations

from planhat_pipelines.files.account import S3Account
from planhat_pipelines.files.bucket import Bucket, S3Object
from planhat_pipelines.files.client import S3Client
from planhat_pipelines.files.drops import FINAL, Book, Drop, Entry, State
from planhat_pipelines.files.errors import (
    AccessDenied,
    Changed,
    Damaged,
    FilesError,
    NoSuchBucket,
    NotThere,
    Permanent,
    SignInError,
    Superseded,
    Temporary,
    WrongRegion,
)
from planhat_pipelines.files.events import Hint, hints
from planhat_pipelines.files.inbox import Inbox, Layout, Waiting
from planhat_pipelines.files.probe import Guarantees

__all__ = [
    "FINAL",
    "AccessDenied",
    "Book",
    "Bucket",
    "Changed",
    "Damaged",
    "Drop",
    "Entry",
    "FilesError",
    "Guarantees",
    "Hint",
    "Inbox",
    "Layout",
    "NoSuchBucket",
    "NotThere",
    "Permanent",
    "S3Account",
    "S3Client",
    "S3Object",
    "SignInError",
    "State",
    "Superseded",
    "Temporary",
    "Waiting",
    "WrongRegion",
    "hints",
]
