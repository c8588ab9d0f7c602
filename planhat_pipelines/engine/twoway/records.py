"""Planhat as the other side: its records since the last look, or single ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from planhat_pipelines.engine.protocols import JsonObject
from planhat_pipelines.planhat.catalogue import Kind, Model
from planhat_pipelines.planhat.changes import Changes, changes, has_changed, of_companies, single
from planhat_pipelines.planhat.client import Planhat

SINGLY = 100  # records that are asked for one by one; more of them, and all are read


@dataclass
class PlanhatRecords:
    """The records of a model as frames with `_id`, `stamp` and the fields of `select`. `key`: the field they are known
    by. `kinds`: of the tenant's own fields. `full_every`: seconds between two readings of all.

    Cursor: `stamp`, up to which changes were read; `full_at`, when all were read last; `fields`, what was read.
    """

    client: Planhat
    model: Model
    key: str
    select: Sequence[str]
    kinds: Mapping[str, Kind]
    full_every: float
    full: bool = False
    overlap: float = 300.0  # seconds before the last stamp, see `changes`
    log: Callable[[str], None] = lambda _: None
    _all: Changes | None = field(default=None, repr=False)

    def since(self, cursor: JsonObject | None) -> tuple[Changes, JsonObject]:
        """What changed, and the cursor after it."""
        now = datetime.now(UTC)
        due = cursor is None or self._all_are_due(cursor, now)
        found = changes(
            self.client,
            self.model,
            self.select,
            None if cursor is None else cursor["stamp"],
            full=self.full or due,
            overlap=self.overlap,
            kinds=self.kinds,
        )
        if found.why:
            self.log(f"Planhat: reading all {self.model.path}: {found.why}")
        full_at = now.isoformat() if found.whole or cursor is None else cursor["full_at"]
        return found, {"stamp": found.stamp, "full_at": full_at, "fields": list(self.select)}

    def again(self, since: str | None) -> pl.DataFrame:
        """What changed after a look, whose stamp is `since`; the next run finds it once more."""
        return changes(self.client, self.model, self.select, since, kinds=self.kinds).records

    def changed(self, cursor: JsonObject | None) -> bool:
        """Whether anything may be new; asks for one record."""
        if cursor is None or self._all_are_due(cursor, datetime.now(UTC)):
            return True
        return has_changed(self.client, self.model, cursor["stamp"])

    def _all_are_due(self, cursor: JsonObject, now: datetime) -> bool:
        if cursor["fields"] != list(self.select):
            return True
        return (now - datetime.fromisoformat(cursor["full_at"])).total_seconds() >= self.full_every

    def these(self, keys: Collection[str], companies: Collection[str] = ()) -> pl.DataFrame:
        """The records of these keys; all there are, where they are many. Where keys mean a record only within a
        company, all records of these `companies` (their `_id`s)."""
        if self._all is None and len(keys) > SINGLY:
            self.log(f"Planhat: reading all {self.model.path}, as {len(keys):,} rows are new to this sync")
            self._all = changes(self.client, self.model, self.select, None, full=True, kinds=self.kinds)
        if self._all is not None:
            wanted = pl.DataFrame({self.key: list(keys)}, schema={self.key: pl.String})
            return self._all.records.join(wanted, on=self.key, how="semi")
        if len(companies):
            return of_companies(self.client, self.model, self.select, set(companies), kinds=self.kinds)
        return single(self.client, self.model, self.select, self.key, sorted(keys), kinds=self.kinds)
