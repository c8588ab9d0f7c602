"""A table and its companies, edited on both sides: short words for tests of syncs in both directions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from planhat_pipelines.engine.destinations import records
from planhat_pipelines.engine.twoway import back, carry, sync
from planhat_pipelines.engine.twoway.build import two_way_sync
from planhat_pipelines.engine.twoway.report import TwoWayReport
from planhat_pipelines.engine.twoway.sync import TwoWaySync
from planhat_pipelines.planhat import changes, paging
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines_tests.e2e.place import HASTE
from planhat_pipelines_tests.records.crm import Crm

_runs = itertools.count(1)
LARGE = 3  # records, from which on a tenant is not small any more
BOTH = [{"column": "NAME", "field": "name"}, {"column": "CITY", "field": "city"}]


def hasten(sync: TwoWaySync, overlap: float = 300.0) -> TwoWaySync:
    """The same sync, waiting for no late commit. overlap: seconds of Planhat's changes that are read again."""
    if sync.source:
        sync.source.lag = 0.0
    sync.records.overlap = overlap
    return sync


def make_small(put: Callable[[object, str, Any], None]) -> None:
    """Make a few rows need what otherwise many do: a list of Planhat that is too long to be read as a whole, several
    requests, sums of bases; and let no time be short enough to send what was read before without another look."""
    for owner, name, value in (
        (paging, "TINY", LARGE),
        (changes, "TINY", LARGE),
        (records, "ITEMS_A_REQUEST", 3),
        (back, "_PIECE", 3),
        (sync, "_MANY", 2),
        (carry, "PAUSE", 0.0),
    ):
        put(owner, name, value)


class Pair(Crm):
    """The usual table of accounts (ID, NAME, CITY, NOTE), whose NAME and CITY travel both ways."""

    overlap = 300.0

    def facts(self, **changes: Any) -> dict[str, Any]:
        """What a user writes for it."""
        return super().facts(**{"direction": "both", "fields": BOTH, **changes})

    def ready(self, spec: Any, planhat: Planhat, *, session: Any = None, **how: bool) -> TwoWaySync:
        """A run of it that waits for no late commit."""
        sync = two_way_sync(
            spec, session or self.place.session, planhat, self.ledger, log=self.log.append, **how
        )
        return hasten(sync, self.overlap)

    def run(  # type: ignore[override]
        self, spec: Any = None, *, client: Patience = HASTE, session: Any = None, **how: bool
    ) -> TwoWayReport:
        """One run."""
        with self.place.client(client) as planhat:
            sync = self.ready(spec or self.spec(), planhat, session=session, **how)
            return sync.run(f"twoway{next(_runs)}", self.log.append)

    def rows(self, columns: str = "NAME, CITY") -> dict[str, tuple[Any, ...]]:
        """The table, by key."""
        return {key: tuple(rest) for key, *rest in self.sql(f"SELECT ID, {columns} FROM {{table}}")}

    def edit(self, key: str, **values: Any) -> None:
        """A person edits a company in Planhat's app."""
        record = self.held()[key]
        self.call("PUT", f"companies/{record['_id']}", values)

    def fields(self, *names: str) -> dict[str, tuple[Any, ...]]:
        """Planhat's companies, by external id."""
        return {key: tuple(each.get(name) for name in names) for key, each in self.held().items()}


def quiet(report: TwoWayReport) -> bool:
    """Whether a run found nothing to do."""
    done = ("created", "updated", "refused", "parked")
    return not any(each.verdicts[end] for each in (report.sent, report.back) for end in done)
