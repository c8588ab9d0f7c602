"""What has changed in Planhat since the last look.

Planhat has no change feed and no filter for it. A list sorted by its update stamp, newest first, is read down to a
known stamp; all that such a list promises is checked page by page, and where it does not hold, every record is read.
Source: integrations that read Planhat so (no stream of theirs is incremental; one sorts by `-updatedAt` and checks).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl

from planhat_pipelines.planhat import reading
from planhat_pipelines.planhat.catalogue import Kind, Model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.errors import BadRequest, ServerError, UnreadableAnswer
from planhat_pipelines.planhat.paging import TINY, repeated
from planhat_pipelines.planhat.reading import Row, View, instant, iso

STAMPS = ("updatedAt", "lastUpdated")  # companies are documented with the second; both were seen
_STARTS = 3


@dataclass(frozen=True, slots=True)
class Changes:
    """Records as they are now, one row each.

    records: `_id`, the selected fields and `stamp` (of the last update; null if there is none), all text.
    stamp: `since` of the next look, never before that of this one; None as long as no record carries a stamp.
    whole: every record is in it, so one that is missing was deleted, or is an archived end user.
    why: why all records were read, for the log; empty when only changed ones were.
    """

    records: pl.DataFrame
    stamp: str | None
    whole: bool
    why: str


def changes(
    client: Planhat,
    model: Model,
    select: Sequence[str],
    since: str | None,
    *,
    overlap: float = 300.0,
    full: bool = False,
    kinds: Mapping[str, Kind] | None = None,
) -> Changes:
    """The records of a model that changed after `since` less `overlap` seconds, or all of them.

    All are read if `since` is None or `full` is set, and whenever the order of a list cannot be trusted. Deleted
    records and end users that were archived are noticed only then. The overlap is for stamps that are given before
    they can be seen; what lies in it comes again. `kinds` are those of custom fields ("custom.NAME", see
    reading.CUSTOM_KINDS). Raises PlanhatError.
    """
    known = instant(since)
    if since is not None and known is None:
        raise ValueError("since: expected the stamp of an earlier look, such as 2026-11-22T10:00:00.000Z")
    look = _Look(client, model, select, known, kinds)
    if known is None or full:
        return look.at_everything("as asked" if full else "the first look")
    wanting: list[str] = []
    for name in _names(model):
        if not wanting or name in look.names:
            try:
                return look.at_newest(name, _earlier(known, overlap))
            except _UNFIT as error:
                wanting.append(f"sorted by {name}, {error}")
    return look.at_everything("; ".join(wanting))


def has_changed(client: Planhat, model: Model, since: str | None) -> bool:
    """Whether a look may find a change after `since`, the stamp of the last one; it does not see what was deleted.

    One call as a rule, a second one when the newest record is gone. Where no order can be trusted, always true.
    """
    look = _Look(client, model, (), since, None)
    try:
        for name in _names(model):
            page = look.page(f"-{name}", 0, 1)
            if not page:
                return False
            newest = _stamp(page[0])
            if newest and page[0].get(name):
                if since is None or newest >= since:
                    return newest != since
                look.prove(name, page[0]["_id"], newest)
                return False
    except _UNFIT:
        pass
    return True


def single(
    client: Planhat,
    model: Model,
    select: Sequence[str],
    key: str,
    keys: Iterable[str],
    *,
    kinds: Mapping[str, Kind] | None = None,
) -> pl.DataFrame:
    """The records of these keys that there are, as in `Changes.records`, at one call each.

    `key` is one of the model's. A model whose records cannot be asked for singly is read as a whole.
    """
    if not model.single:
        every = changes(client, model, (*select, key), None, full=True, kinds=kinds).records
        return every.filter(pl.col(key).is_in(list(keys))).select(
            list(dict.fromkeys(("_id", *select, "stamp")))
        )
    found = (client.record(model, key, each) for each in dict.fromkeys(keys))
    return _Look(client, model, select, None, kinds).frame([row for row in found if row is not None])


def of_companies(
    client: Planhat,
    model: Model,
    select: Sequence[str],
    companies: Iterable[str],
    *,
    kinds: Mapping[str, Kind] | None = None,
) -> pl.DataFrame:
    """The records of these companies (`_id`s), as in `Changes.records`."""
    filters = {model.company_field or "companyId": ",".join(sorted(companies))}
    look = _Look(client, model, select, None, kinds, filters)
    return look.at_everything("as asked").records


class _NotSorted(Exception):
    """The list is not in the order of its stamps, or does not say so."""


_UNFIT = (_NotSorted, BadRequest, ServerError, UnreadableAnswer)


def _names(model: Model) -> list[str]:
    """What the update stamp may be called, the documented name first."""
    return list(dict.fromkeys((model.updated_stamp, *STAMPS)))


class _Look:
    """One look at a list, in whichever way it can be had."""

    def __init__(
        self,
        client: Planhat,
        model: Model,
        select: Sequence[str],
        since: str | None,
        kinds: Mapping[str, Kind] | None,
        filters: Mapping[str, str] | None = None,
    ) -> None:
        self._client, self._path, self._limit = client, f"/{model.path}", model.page_max
        self._view = View.of(model, (*select, *STAMPS), filters, kinds=kinds)
        self._columns = tuple(dict.fromkeys(("_id", *select)))
        self._since = since
        self._newest = ""
        self.names: set[str] = set()  # of the stamps that records carry

    def at_everything(self, why: str) -> Changes:
        """All records, sorted by `_id`, so that they keep their places while others change them."""
        began = time.monotonic()
        pages: list[pl.DataFrame] = []
        last, ascending = "", True
        for page in self._client.rows(self._path, {**self._view.params, "sort": "_id"}, self._limit):
            ids = [last, *(str(row["_id"]) for row in page)]
            last, ascending = ids[-1], ascending and all(a < b for a, b in pairwise(ids))
            pages.append(self.frame(page))
        if len(pages) < 2:
            return self._changes(pages, whole=True, why=why)
        if not ascending:
            why += "; the list is not sorted by _id either, so a record that is missing may still be there"
        # what changed after it was read is newer than the newest stamp was, less the time that reading took
        return self._changes(pages, whole=ascending, why=why, took=time.monotonic() - began)

    def at_newest(self, name: str, floor: str) -> Changes:
        """The records down to a stamp, from a list sorted by the field `name`. Raises _NotSorted."""
        for _ in range(_STARTS):
            found = self._down(name, floor)
            if found is not None:
                return found
        raise _NotSorted("the list changes faster than it can be read")

    def _down(self, name: str, floor: str) -> Changes | None:
        """None if a page does not go on where the one before ended: some were deleted, or very many changed."""
        pages: list[pl.DataFrame] = []
        before: list[tuple[str, str]] = []
        first = ""
        offset = 0
        while True:
            page = self.page(f"-{name}", offset, self._limit)
            stamps = [_stamp(row) for row in page]
            frame = self._frame(page, stamps)
            if not offset and len(page) < TINY:
                return self._changes([frame], whole=True, why="all records fit into one page")
            marks = _descending(page, stamps)
            again = repeated(before, marks) if offset else 0
            if again is None:
                return None
            pages.append(frame.filter(pl.col("stamp") >= floor))
            first = first or marks[0][0]
            if marks[-1][1] < floor:
                self.prove(name, first, marks[-1][1])
                break
            if len(page) < TINY or again == len(page):
                break
            before = marks
            offset += len(page) - 1
        return self._changes(pages, whole=False, why="")

    def prove(self, name: str, first: str, lowest: str) -> None:
        """Ask for the oldest stamp: a server that ignores `sort` gives the first record of all again. Its pages may
        be in order by chance, or because it lists the latest first and none of those was ever changed."""
        page = self.page(name, 0, 1)
        if not page or page[0]["_id"] == first or (_stamp(page[0]) or "") > lowest:
            raise _NotSorted("the oldest record does not come first when asked for")

    def page(self, sort: str, offset: int, limit: int) -> list[Row]:
        return self._client.page(self._path, {**self._view.params, "sort": sort}, limit, offset)

    def frame(self, page: Sequence[Row]) -> pl.DataFrame:
        """The selected fields of these records and their stamps."""
        return self._frame(page, [_stamp(row) for row in page])

    def _frame(self, page: Sequence[Row], stamps: Sequence[str | None]) -> pl.DataFrame:
        self.names.update(name for name in STAMPS if any(row.get(name) for row in page))
        self._newest = max((self._newest, *filter(None, stamps)))
        frame = reading.frame(page, self._columns, self._view.fields)
        return frame.with_columns(pl.Series("stamp", stamps, dtype=pl.String)).filter(self._view.fits(page))

    def _changes(self, pages: Sequence[pl.DataFrame], *, whole: bool, why: str, took: float = 0.0) -> Changes:
        records = pl.concat([self.frame(()), *pages]).unique("_id", keep="last", maintain_order=True)
        stamp = self._since
        if self._newest:
            newest = min(self._newest, iso(datetime.now(UTC)))  # one of the far future would hide all others
            stamp = max(stamp or "", _earlier(newest, took))
        return Changes(records, stamp, whole, why)


def _stamp(row: Row) -> str | None:
    """When a record was last updated: the later of its stamps."""
    one, other = (instant(row.get(name)) for name in STAMPS)
    return max(one, other) if one and other else one or other


def _descending(page: Sequence[Row], stamps: Sequence[str | None]) -> list[tuple[str, str]]:
    """`_id` and stamp of each row. Raises _NotSorted unless all have a stamp and none is newer than the one before."""
    stamped = [(str(row["_id"]), stamp) for row, stamp in zip(page, stamps, strict=True) if stamp is not None]
    if len(stamped) < len(page):
        raise _NotSorted("records come without a stamp")
    if any(a < b for (_, a), (_, b) in pairwise(stamped)):
        raise _NotSorted("a stamp is newer than the one before it")
    return stamped


def _earlier(stamp: str, seconds: float) -> str:
    return iso(datetime.fromisoformat(stamp) - timedelta(seconds=seconds))
