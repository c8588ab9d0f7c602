"""Drops on local disk while they are worked on: one file a drop, named by its id, for the owner's eyes only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_OURS = re.compile(r"[0-9a-f]{64}(\.\w+)?")
_PIECE = 1 << 20


class Spool:
    """One folder, used by one sync. A key never becomes part of a path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, drop_id: str) -> Path:
        if not _OURS.fullmatch(drop_id):
            raise ValueError("not the id of a drop")
        return self.folder / drop_id

    @contextmanager
    def writing(self, path: Path) -> Generator[BinaryIO]:
        """A file that appears at `path` only once it is whole and on disk."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f"{path.name.partition('.')[0]}.{secrets.token_hex(6)}")
        out = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(out, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def holds(self, drop_id: str, sha256: str | None) -> bool:
        """Whether the bytes with this SHA-256 are here."""
        digest = hashlib.sha256()
        try:
            with self.path(drop_id).open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == sha256

    def keep_only(self, drop_ids: Iterable[str]) -> None:
        """Remove what killed runs left of other drops."""
        kept = set(drop_ids)
        with contextlib.suppress(FileNotFoundError):
            for file in self.folder.iterdir():
                if _OURS.fullmatch(file.name) and file.name not in kept:
                    file.unlink(missing_ok=True)
