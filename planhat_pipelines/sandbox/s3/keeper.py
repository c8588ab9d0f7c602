"""Keeps the objects of moto's S3 in a folder, as moto itself forgets them at exit.

Kept of each object: its bytes, ETag, time of last change and metadata. Not kept: older versions, tags, checksums,
half-done multipart uploads. `index.json` names the objects; their bytes lie beside it under their SHA-256, so that
what an index names is never overwritten. What was written after the last save is lost with a killed process.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends


@dataclass(frozen=True, slots=True)
class Kept:
    key: str
    etag: str
    modified: str  # moto's own clock: UTC without a zone
    metadata: dict[str, str]
    file: str


class Keeper:
    """The objects of one bucket, in one folder."""

    def __init__(self, folder: Path, bucket: str) -> None:
        self._folder, self._bucket = folder, bucket
        self._index = folder / "index.json"
        self._saved: dict[tuple[str, str, str], Kept] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def restore(self) -> None:
        """Put the kept objects into moto's bucket, as old as they were."""
        if not self._index.exists():
            return
        store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for entry in json.loads(self._index.read_text(encoding="utf-8")):
            kept = Kept(**entry)
            content = (self._folder / kept.file).read_bytes()
            item = store.put_object(self._bucket, kept.key, content, etag=kept.etag)
            item.set_metadata(dict(kept.metadata), replace=False)
            item.last_modified = datetime.fromisoformat(kept.modified)
            self._saved[kept.key, kept.etag, kept.modified] = kept

    def save(self) -> None:
        """Write what changed since the last save; without a change, nothing.

        Raises KeyError or ValueError when an object goes while it is read: the next save is right again.
        """
        bucket = cast("Any", s3_backends)[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(self._bucket)
        items: list[Any] = list(bucket.keys.values())
        now = {_mark(item): item for item in items}
        if now.keys() == self._saved.keys() and self._index.exists():
            return
        self._saved = {mark: self._saved.get(mark) or self._keep(mark, item) for mark, item in now.items()}
        beside = self._index.with_suffix(".new")
        beside.write_text(json.dumps([asdict(kept) for kept in self._saved.values()]), encoding="utf-8")
        beside.replace(self._index)
        named = {kept.file for kept in self._saved.values()}
        for file in self._folder.iterdir():
            if file != self._index and file.name not in named:
                file.unlink()

    def _keep(self, mark: tuple[str, str, str], item: Any) -> Kept:
        content: bytes = item.value
        file = hashlib.sha256(content).hexdigest()
        if not (self._folder / file).exists():
            (self._folder / file).write_bytes(content)
        return Kept(*mark, metadata=dict(item.metadata), file=file)


def _mark(item: Any) -> tuple[str, str, str]:
    return item.name, item.etag.strip('"'), item.last_modified.isoformat()
