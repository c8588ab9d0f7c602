"""What the engine asks of a source and of a destination.

A source gives increments; a destination maps rows, cuts them into parcels, sends a parcel and, after a crash or
a lost answer, finds out what arrived. Everything that must survive a crash goes through the ledger in between.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import polars as pl

from planhat_pipelines.mapping.addresses import hidden, masked
from planhat_pipelines.mapping.targets import Mapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planhat_pipelines.ledger import Batch, Claim

Verdict = Literal["created", "updated", "unchanged", "submitted", "refused", "parked", "held", "duplicate"]
"""The end of a row. `held`: sent, nobody can tell whether it arrived, never sent again by itself."""

JsonObject = dict[str, Any]


class Brake(Exception):
    """A window would change more than its sync allows. Nothing of it was sent, and somebody has to decide."""


class Increment(Protocol):
    """What a source has that is new, as one bounded window."""

    @property
    def bounds(self) -> JsonObject:
        """Enough to read the very same window again."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the window holds every row of the source, so that a row that is missing is gone."""
        return False

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Frames of bounded size, in the order of the source, each with the column ROW."""
        ...

    def cursor(self) -> JsonObject:
        """How far the source has been read once all pieces were taken."""
        ...


class DropIncrement(Increment, Protocol):
    """A window that is one drop: it has rows that could not even be read, and it is moved away at the end."""

    def unread(self) -> Iterator[pl.DataFrame]:
        """Rows that could not be read: ROW, `key`, `field`, `reason`."""
        ...

    def duplicates(self) -> int:
        """How many rows were left out because a later row of the drop has their key."""
        ...

    def answered(self, counts: JsonObject) -> JsonObject:
        """All rows have their verdict, which are counted here. Returns the drop as it is to be written down together
        with the end of the window."""
        ...

    def overtaken(self) -> tuple[Sequence[str], Sequence[str]]:
        """Rows of earlier drops, parked and rejected, that this one makes void. Asked when all rows have their
        verdict."""
        ...

    def closed(self) -> None:
        """The window is closed: move the drop away."""
        ...


class Source(Protocol):
    """Where the rows of one sync come from. Its errors say what could not be read; it never returns an empty
    increment for a source that it could not read."""

    @property
    def unreadable(self) -> Sequence[str]:
        """What could not be read at all and was set aside, with the reason."""
        ...

    def claimed(self, claim: Any) -> None:
        """The run has the claim of the sync; for sources that write down themselves what they take."""
        ...

    def changed(self, cursor: JsonObject | None) -> bool:
        """Whether there may be something after `cursor`; cheap enough to ask every few minutes."""
        ...

    def next(self, cursor: JsonObject | None) -> Increment | None:
        """The window after `cursor`, or None when there is nothing new."""
        ...

    def again(self, bounds: JsonObject) -> Increment | None:
        """A window that an earlier run began and did not finish; None when it cannot be read any more."""
        ...

    def rows(self, keys: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Single rows by key, as they are now; rows that are gone are left out. At least one frame comes, so
        that its columns are known."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """The items of one request, and what the ledger writes down of them before it is sent. `frame`: the items
    themselves, where the destination answers for each of them. `places`: the source's names of the rows, where they
    are not `rows`. `weight`: how many rows of the source it stands for, where that is not the number of `rows`. `days`:
    how many points it has of each day (since 1970)."""

    body: bytes
    items: int
    rows: pl.Series
    frame: pl.DataFrame | None = None
    places: pl.Series | None = None
    weight: int | None = None
    points: NDArray[np.uint64] | None = None
    dimensions: tuple[str, ...] = ()
    first_day: int | None = None
    last_day: int | None = None
    days: Mapping[int, int] = dataclasses.field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that did not go, and why. `key`: the id it names, which may be an e-mail address (`is_address`)."""

    row: str
    stage: Literal["read", "map", "match", "planhat", "write"]
    field: str
    reason: str
    key: str | None = dataclasses.field(default=None, repr=False)
    is_address: bool = False

    @property
    def kept(self) -> str | None:
        """The key as the ledger keeps it."""
        return hidden(self.key) if self.is_address and self.key else self.key

    @property
    def shown(self) -> str | None:
        """The key as people see it."""
        return masked(self.key) if self.is_address and self.key else self.key


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
    unknown: Sequence[str] = ()


class Destination(ABC):
    """Where the rows of one sync go."""

    purpose: ClassVar[str]
    """What the ledger calls its batches: metrics, activities or records."""

    @property
    def warnings(self) -> Sequence[str]:
        """What was done so far, and may not be what was meant."""
        return ()

    @property
    @abstractmethod
    def model(self) -> str:
        """The Planhat model that rows wait for when they are parked."""

    @property
    @abstractmethod
    def id_kind(self) -> str:
        """The id by which rows name it."""

    @property
    def by_address(self) -> bool:
        """Whether the keys of refused rows are e-mail addresses."""
        return self.id_kind == "email"

    @property
    @abstractmethod
    def on_doubt(self) -> Literal["ask", "resend", "hold"]:
        """What to do with a parcel whose answer is unknown."""

    @abstractmethod
    def map(self, rows: pl.DataFrame) -> Mapped:
        """Which rows can go, which are refused and which must wait."""

    def points(self, ready: pl.DataFrame) -> pl.DataFrame | None:
        """The metric points that ready rows become, with `dimension`; None where they become something else."""
        return None

    @abstractmethod
    def parcels(self, ready: pl.DataFrame) -> Iterator[Parcel]:
        """Ready rows cut into requests, always in the same way; a row's items stay together."""

    @abstractmethod
    def send(self, parcel: Parcel) -> Receipt:
        """Send it. Raises Doubt when it may have arrived and must not be sent twice."""

    @abstractmethod
    def known(self, targets: Sequence[str]) -> set[str]:
        """Which of these parked targets exist by now."""

    def found(self, batch: Batch, earlier: NDArray[np.uint64], ready: pl.DataFrame) -> Found:
        """For `on_doubt` "ask": what Planhat holds of a doubtful batch. `earlier`: fingerprints of the points
        that other batches brought there; `ready`: the batch's rows, read and mapped again."""
        raise TypeError(f"Planhat cannot be asked for {self.purpose}")

    def gate(
        self,
        mapped: Iterator[Mapped],
        *,
        whole: bool = False,
        answered: pl.DataFrame | None = None,
        parked: bool = False,
    ) -> Iterator[Mapped]:
        """Everything of one window on its way out; may hold it back until all is known, and may raise.

        whole: the window is the whole source. answered: ROW of what an earlier run settled of it. parked: the rows
        are no window, but waited for their target.
        """
        return mapped

    def gone(self, *, whole: bool) -> Iterator[Mapped]:
        """What is to be sent for rows that are no longer in the source, once a window was delivered."""
        return iter(())

    def committed(self, claim: Claim) -> None:  # noqa: B027  (most have nothing to do)
        """The window is closed and the cursor has moved."""
