"""What the ledger hands out and takes in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from planhat_pipelines.ledger.blobs import Keys, Points, unpack_keys, unpack_points

if TYPE_CHECKING:
    import polars as pl

BatchStates = Literal["intended", "settled", "held"]
"""intended: written down, fate unknown. settled: has its receipt. held: sent, and nobody can tell whether it
arrived; never sent again by itself."""

RunStates = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sync has been read; `version` counts the moves and is 0 before the first."""

    sync: str
    value: dict[str, Any] | None
    version: int
    moved_at: datetime | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The increment that is being delivered: bounds as the source wrote them, and the cursor they start from."""

    id: int
    sync: str
    bounds: dict[str, Any]
    cursor_version: int
    run: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one request, as far as the ledger keeps them: keys, fingerprints and counts."""

    id: str
    sync: str
    window: int | None
    run: str
    state: BatchStates
    purpose: str
    body_hash: str
    items: int
    dimensions: tuple[str, ...]
    first_day: int | None
    """Days since 1970-01-01, of the earliest point; None for a batch of records."""
    last_day: int | None
    counts: dict[str, int]
    reason: str | None
    """Why the batch is held."""
    intended_at: datetime
    settled_at: datetime | None
    row_blob: bytes = dataclasses.field(repr=False)
    point_blob: bytes | None = dataclasses.field(repr=False)

    @property
    def rows(self) -> list[str]:
        """Keys of the rows in the batch, decoded at each call."""
        return unpack_keys(self.row_blob)

    @property
    def points(self) -> Points | None:
        """Fingerprints of the points in the batch (uint64, read-only), None for a batch without points."""
        return None if self.point_blob is None else unpack_points(self.point_blob)


class Intent(TypedDict):
    """What is written down of a batch before it is sent."""

    window: int | None
    body_hash: str
    purpose: str
    items: int
    rows: Keys
    points: Points | None
    dimensions: Sequence[str]
    first_day: int | None
    last_day: int | None
    bases: NotRequired[pl.DataFrame | None]
    """What both sides will agree on once it is settled: `key` (text), and per field a UInt64; null says nothing."""


@dataclass(frozen=True, slots=True)
class NewRejection:
    """A row that did not go. `row` is its key in the source, `key` the one Planhat would know it by; neither
    `reason` nor any other part may hold a field's value."""

    row: str
    stage: Literal["read", "map", "match", "planhat", "write"]
    reason: str
    field: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejection as the ledger holds it: the latest reason, since when, and how often."""

    sync: str
    row: str
    stage: str
    field: str | None
    reason: str
    key: str | None
    run: str
    first_seen: datetime
    last_seen: datetime
    times: int


@dataclass(frozen=True, slots=True)
class NewParked:
    """A row that waits for a record of Planhat: `target` is that record's id of kind `id_kind` in `model`. `key`: the
    one Planhat would know the row by, where `row` is a place."""

    row: str
    model: str
    id_kind: str
    target: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked row as the ledger holds it; `tries` counts the look-ups that found no target."""

    sync: str
    row: str
    model: str
    id_kind: str
    target: str
    since: datetime
    tried_at: datetime | None
    tries: int
    key: str | None = None


@dataclass(frozen=True, slots=True)
class NewConflict:
    """A field that both sides changed. `snowflake` and `planhat` are their values as text (None: empty), one of
    which is about to be overwritten; `why` says what decided, without a value."""

    row: str
    field: str
    winner: Literal["snowflake", "planhat"]
    snowflake: str | None = dataclasses.field(repr=False)
    planhat: str | None = dataclasses.field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A conflict as the ledger holds it; `run` and `at` are those that met it last."""

    sync: str
    row: str
    field: str
    winner: Literal["snowflake", "planhat"]
    snowflake: str | None = dataclasses.field(repr=False)
    planhat: str | None = dataclasses.field(repr=False)
    why: str
    run: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of one sync."""

    id: str
    sync: str
    state: RunStates
    started_at: datetime
    ended_at: datetime | None
    counts: Mapping[str, int]
    message: str
