"""The ledger's tables; only what lost a conflict is a customer's value."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

VERSION = 3
"""Raised whenever a table changes; a ledger of another version is refused."""


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


class Moment(TypeDecorator[datetime | float]):
    """A time: written as the seconds that the database's clock gives, read as a time in UTC."""

    impl = Double
    cache_ok = True

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:
        """The stored seconds as callers see them."""
        return None if value is None else moment(value)


metadata = MetaData()

ledgers = Table(
    "planhat_ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

claims = Table(
    "planhat_claims",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("owner", Text),
    Column("run", Text),
    Column("process", JSON(none_as_null=True)),
    Column("since", Moment),
    Column("expires", Double),
)

runs = Table(
    "planhat_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("counts", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Index("planhat_runs_newest", "sync", "started_at"),
)

cursors = Table(
    "planhat_cursors",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("moved_at", Moment, nullable=False),
    Column("run", Text, nullable=False),
)

windows = Table(
    "planhat_windows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("bounds", JSON, nullable=False),
    Column("cursor_version", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("outcome", Text),
)
_is_open = text("closed_at IS NULL")
Index(
    "planhat_windows_one_open",
    windows.c.sync,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)

batches = Table(
    "planhat_batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("window", Integer),
    Column("body_hash", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("items", Integer, nullable=False),
    Column("dimensions", JSON, nullable=False),
    Column("first_day", Integer),
    Column("last_day", Integer),
    Column("counts", JSON, nullable=False),
    Column("reason", Text),
    Column("intended_at", Moment, nullable=False),
    Column("settled_at", Moment),
    Index("planhat_batches_bodies", "sync", "body_hash"),
    Index("planhat_batches_windows", "window"),
    Index("planhat_batches_states", "sync", "state"),
)

# Apart from the batches, so that a receipt does not write them again.
contents = Table(
    "planhat_contents",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("row_blob", LargeBinary, nullable=False),
    Column("point_blob", LargeBinary),
)

# Which days of which dimension a batch touches: what the look-up of fingerprints goes by.
touched = Table(
    "planhat_touched",
    metadata,
    Column("dimension", Text, primary_key=True),
    Column("batch", Text, primary_key=True),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Index("planhat_touched_days", "dimension", "last_day"),
    Index("planhat_touched_batches", "batch"),
)

# What Planhat was last told of each record, in pages: see records.py.
records = Table(
    "planhat_records",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("row_blob", LargeBinary, nullable=False),
    Column("point_blob", LargeBinary, nullable=False),
)

# What both sides of a two-way sync agreed on, in the order of `place`; without one it is only intended: see bases.py.
bases = Table(
    "planhat_bases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("batch", Text),
    Column("place", Integer),
    Column("base_blob", LargeBinary, nullable=False),
    Index("planhat_bases_places", "sync", "place"),
    Index("planhat_bases_batches", "batch"),
)

# `snowflake` and `planhat` are the values as text: nobody could bring the lost one back otherwise.
conflicts = Table(
    "planhat_conflicts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("winner", Text, nullable=False),
    Column("snowflake", Text),
    Column("planhat", Text),
    Column("why", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Index("planhat_conflicts_latest", "sync", "at"),
)

drops = Table(
    "planhat_drops",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("modified", Moment, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("version", Text),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("sha256", Text),
    Column("archive", Text),
    Column("report", JSON(none_as_null=True)),
    Column("counts", JSON, nullable=False),
    Column("run", Text, nullable=False),
    Column("claimed_at", Moment, nullable=False),
    Column("moved_at", Moment, nullable=False),
    Index("planhat_drops_states", "sync", "state"),
)

rejections = Table(
    "planhat_rejections",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("row", Text, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("key", Text),
    Column("run", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("times", Integer, nullable=False),
)

parked = Table(
    "planhat_parked",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("row", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("id_kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("tried_at", Moment),
    Column("tries", Integer, nullable=False),
    Column("key", Text),
)

budgets = Table(
    "planhat_budgets",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("backlog", Double, nullable=False),
    Column("seen", Double, nullable=False),
)

slots = Table(
    "planhat_slots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("process", JSON, nullable=False),
    Column("expires", Double, nullable=False),
    Index("planhat_slots_tenant", "tenant"),
)
