"""Mapped rows that have to wait until all of a window was seen."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from planhat_pipelines.mapping.targets import Mapped

_IN_MEMORY = 32_000_000  # bytes


class Held:
    """Many of them wait on disk, in a file without a name, which nobody else can open and which ends with us."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (closed by `close`)
        self._held: list[tuple[Mapped, list[int]]] = []

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, mapped: Mapped) -> None:
        """Hold it back."""
        sizes: list[int] = []
        for frame in (mapped.ready, mapped.refused, mapped.parked):
            packed = io.BytesIO()
            frame.write_ipc(packed, compression="lz4")
            sizes.append(self._file.write(packed.getbuffer()))
        nothing = replace(
            mapped, ready=mapped.ready.clear(), refused=mapped.refused.clear(), parked=mapped.parked.clear()
        )
        self._held.append((nothing, sizes))

    def __iter__(self) -> Iterator[Mapped]:
        """All of it, in the same order."""
        self._file.seek(0)
        for mapped, sizes in self._held:
            ready, refused, parked = (pl.read_ipc(self._file.read(size)) for size in sizes)
            yield replace(mapped, ready=ready, refused=refused, parked=parked)
