"""Row keys and fingerprints of a batch as one value each, without a Python step per row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TypeAlias, Union

import numpy as np
import numpy.typing as npt
import polars as pl

Points = npt.NDArray[np.uint64]
"""Fingerprints of metric points."""

Keys: TypeAlias = Union[Sequence[str], "pl.Series"]
"""Row keys as the caller has them: a column of text or a list."""


def keys_list(keys: Keys) -> list[str]:
    """The keys as a list."""
    return list(keys) if isinstance(keys, Sequence) else keys.to_list()


def pack_keys(keys: Keys) -> bytes:
    """Compressed text of the keys, one a line; as JSON where a key has line breaks itself. Level 1, as the
    rest of zlib's levels cost more than they save here."""
    text: str = pl.Series(keys, dtype=pl.String).str.join("\n", ignore_nulls=False).item()
    if text.count("\n") == len(keys) - 1:
        return zlib.compress(f"lines{text}".encode(), 1)
    return zlib.compress(f"json {json.dumps(keys_list(keys))}".encode(), 1)


def key_column(blob: bytes) -> pl.Series:
    """The keys that `pack_keys` packed, in the same order, as a column of text."""
    text = zlib.decompress(blob).decode()
    if text.startswith("lines"):
        return pl.Series([text[5:]]).str.split("\n").explode()
    return pl.Series(json.loads(text[5:]), dtype=pl.String)


def unpack_keys(blob: bytes) -> list[str]:
    """The same as a list."""
    return key_column(blob).to_list()


def pack_points(points: Points) -> bytes:
    """Eight bytes a point, little-endian whatever the machine."""
    return points.astype("<u8", copy=False).tobytes()


def unpack_points(blob: bytes) -> Points:
    """A read-only view of the points that `pack_points` packed."""
    return np.frombuffer(blob, dtype="<u8").astype(np.uint64, copy=False)
