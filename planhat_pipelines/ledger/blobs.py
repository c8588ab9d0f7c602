"""Row keys and fingerprints of a batch as one value each, without a Python step per row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

Points = npt.NDArray[np.uint64]
"""Fingerprints of metric points."""

Keys: TypeAlias = Union[Sequence[str], "pl.Series"]
"""Row keys as the caller has them: a column of text or a list."""


def keys_json(keys: Keys) -> str:
    """The keys as a JSON array: any text survives, line breaks in a key included."""
    texts = list(keys) if isinstance(keys, Sequence) else keys.to_list()
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def pack_keys(keys: Keys) -> bytes:
    """Compressed text of the keys; level 1, as the rest of zlib's levels cost more than they save here."""
    return zlib.compress(keys_json(keys).encode(), 1)


def unpack_keys(blob: bytes) -> list[str]:
    """The keys that `pack_keys` packed, in the same order."""
    return json.loads(zlib.decompress(blob))


def pack_points(points: Points) -> bytes:
    """Eight bytes a point, little-endian whatever the machine."""
    return points.astype("<u8", copy=False).tobytes()


def unpack_points(blob: bytes) -> Points:
    """A read-only view of the points that `pack_points` packed."""
    return np.frombuffer(blob, dtype="<u8").astype(np.uint64, copy=False)
