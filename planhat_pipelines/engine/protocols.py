"""What the engine asks of a source and of a destination.

A source gives increments; a destination maps rows, cuts them into parcels, sends a parcel and, after a crash or
a lost answer, finds out what arrived. Everything that must survive a crash goes through the ledger in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import polars as pl

from planhat_pipelines.mapping.targets import Mapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planhat_pipelines.ledger import Batch

Verdict = Literal["created", "updated", "unchanged", "submitted", "refused", "parked", "held", "duplicate"]
"""The end of a row. `held`: sent, nobody can tell whether it arrived, never sent again by itself."""

JsonObject = dict[str, Any]


class Increment(Protocol):
    """What a source has that is new, as one bounded window."""

    @property
    def bounds(self) -> JsonObject:
        """Enough to read the very same window again."""
        ...

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Frames of bounded size, in the order of the source, each with the column ROW."""
        ...

    def cursor(self) -> JsonObject:
        """How far the source has been read once all pieces were taken."""
        ...


class Source(Protocol):
    """Where the rows of one sync come from. Its errors say what could not be read; it never returns an empty
    increment for a source that it could not read."""

    def changed(self, cursor: JsonObject | None) -> bool:
        """Whether there may be something after `cursor`; cheap enough to ask every few minutes."""
        ...

    def next(self, cursor: JsonObject | None) -> Increment | None:
        """The window after `cursor`, or None when there is nothing new."""
        ...

    def again(self, bounds: JsonObject) -> Increment:
        """A window that an earlier run began and did not finish."""
        ...

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Single rows by key, as they are now; rows that are gone are left out. At least one frame comes, so
        that its columns are known."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """The items of one request, and what the ledger writes down of them before it is sent."""

    body: bytes
    items: int
    rows: pl.Series
    points: NDArray[np.uint64] | None = None
    dimensions: tuple[str, ...] = ()
    first_day: int | None = None
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that did not go, and why."""

    row: str
    stage: Literal["read", "map", "match", "planhat"]
    field: str
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the rows of one parcel."""

    counts: Mapping[Verdict, int]
    refusals: Sequence[Refusal] = ()
    said: Sequence[str] = ()  # complaints of Planhat that name no row


@dataclass(frozen=True, slots=True)
class Found:
    """What the destination says of a doubtful parcel: the points it holds, what is still to be sent, and the
    rows of which nothing can be said."""

    points: NDArray[np.uint64] | None
    missing: Parcel | None
    unknown: Sequence[str] = field(default_factory=tuple)


class Destination(Protocol):
    """Where the rows of one sync go."""

    @property
    def purpose(self) -> str:
        """What the ledger calls its batches: metrics, activities or records."""
        ...

    @property
    def model(self) -> str:
        """The Planhat model that rows name, and `id_kind` the id by which they name it."""
        ...

    @property
    def id_kind(self) -> str: ...

    @property
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        """What to do with a parcel whose answer is unknown."""
        ...

    def map(self, rows: pl.DataFrame) -> Mapped:
        """Which rows can go, which are refused and which must wait."""
        ...

    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        """Ready rows cut into requests, always in the same way; a row's items stay together."""
        ...

    def send(self, parcel: Parcel) -> Receipt:
        """Send it. Raises Doubt when it may have arrived, any other error when it certainly did not."""
        ...

    def found(self, batch: Batch, earlier: NDArray[np.uint64], ready: pl.DataFrame) -> Found:
        """For `on_doubt` "ask": what Planhat holds of a doubtful batch. `earlier`: fingerprints of the points
        that other batches brought there; `ready`: the batch's rows, read and mapped again."""
        ...

    def known(self, targets: Sequence[str]) -> set[str]:
        """Which of these parked targets exist by now."""
        ...
