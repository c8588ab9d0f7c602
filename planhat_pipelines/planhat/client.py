"""The Planhat client: bulk upsert, lists, metrics and activities, with each outcome told apart."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast
from urllib.parse import quote

import polars as pl

from planhat_pipelines.planhat import answers, reading
from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.answers import Answer
from planhat_pipelines.planhat.budget import Budget, Limited, Unlimited
from planhat_pipelines.planhat.catalogue import Model
from planhat_pipelines.planhat.errors import (
    Doubt,
    NotFound,
    NotSent,
    SignInError,
    Temporary,
    UnreadableAnswer,
)
from planhat_pipelines.planhat.paging import walk
from planhat_pipelines.planhat.reading import Row, View
from planhat_pipelines.planhat.replies import Reply, Request, refusal
from planhat_pipelines.planhat.transport import Patience, Transport

T = TypeVar("T")


class Planhat:
    """One tenant of Planhat. Every thread may use it; close it, or use it in a `with`.

    Every call to the main API takes a turn of `budget` for each attempt. All methods raise
    `errors.PlanhatError`.
    """

    def __init__(
        self,
        account: Account,
        *,
        budget: Budget | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account = account
        self._budget = budget or Unlimited()
        self._transport = Transport(patience or Patience(), sleep)

    def __enter__(self) -> Planhat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def limited(self, calls: int) -> Planhat:
        """The same client, whose main API raises OutOfCalls after so many calls. It lives as long as this one."""
        found = copy.copy(self)
        found._budget = Limited(self._budget, calls)
        return found

    def probe(self) -> None:
        """Sign in and read one company; SignInError and PermissionDenied say what to do."""
        self._get("/companies", {"limit": "1"}, reading.rows)

    # -- records

    def upsert(self, model: Model, body: bytes, items: int) -> Answer:
        """Create or update records by their keys: one request with a ready JSON array of `items` objects.

        Answers 206, 400 and 403 that tell of items are Answers, not errors. Sent again after a lost
        connection, a time-out or a 5xx, so that what was created by the first attempt may come back as
        unchanged. Items without a key would then be created twice: never send one. Planhat takes 5,000 items
        and 32 MB; TooLarge when it is more.
        """
        if not model.bulk or items < 1:
            raise ValueError(f"{model.title}: no bulk upsert of {items} items")

        def read(reply: Reply) -> Answer:
            try:
                return answers.read(reply, items)
            except ValueError:
                if reply.status == 403:
                    raise refusal(request, reply) or AssertionError from None
                raise

        request = self._request("PUT", f"/{model.path}", body=body)
        return self._repeatable(request, read, also=(400, 403))

    def record(self, model: Model, key: str, value: str) -> Row | None:
        """The record whose `key` (_id, externalId, sourceId or email) is `value`, or None. JSON as it comes.

        Source: Planhat developers; ids in a path are `_id`, `extid-…` and `srcid-…`, and lists can be asked
        by email.
        """
        if not value:
            raise ValueError("an empty id would ask for the whole list")
        if key == "email":
            found = self._get(f"/{model.path}", {"email": value, "limit": "10"}, reading.rows)
            return next((row for row in found if row.get("email") == value), None)
        prefix = {"_id": "", "externalId": "extid-", "sourceId": "srcid-"}[key]
        try:
            return self._get(f"/{model.path}/{prefix}{quote(value, safe='')}", {}, _object)
        except NotFound:
            return None

    def pages(
        self, model: Model, select: Sequence[str], *, sort: str = "_id", **filters: str
    ) -> Iterator[pl.DataFrame]:
        """All records of a model, in pages: `_id` and the selected fields, all as text (see reading.text).

        `custom.NAME` selects a custom field. Filters are sent (`companyId` takes several ids, with commas)
        and checked on every row, as Planhat ignores those it does not know. Sorted by `_id`, no record that
        stays is missed or comes twice; by another field (`-updatedAt`), records that change meanwhile may
        move: check the order.
        """
        view = View.of(model, select, filters)
        for page in self.rows(f"/{model.path}", {**view.params, "sort": sort}, model.page_max):
            frame = view.frame(page)
            if not frame.is_empty():
                yield frame

    def rows(self, path: str, params: Mapping[str, str], limit: int) -> Iterator[list[Row]]:
        """Any list of Planhat, page by page, every row as it comes (see paging.walk)."""
        return walk(lambda offset: self.page(path, params, limit, offset), limit)

    def page(self, path: str, params: Mapping[str, str], limit: int, offset: int = 0) -> list[Row]:
        """One page of a list, every row as it comes."""
        return self._get(path, {**params, "limit": str(limit), "offset": str(offset)}, reading.rows)

    # -- time series

    def metrics(self, body: bytes) -> tuple[str, ...]:
        """Append points: one request with a ready JSON array, up to 32 MB. Returns Planhat's complaints.

        Planhat answers "received" and no more: what matches no record is dropped in silence. A point sent
        twice counts twice, so only NotSent is tried again. Raises NotSent or a Permanent error (certainly
        nothing stored), or Doubt.
        """
        return self._append("/dimensiondata/{tenant}", body)

    def activities(self, body: bytes) -> tuple[str, ...]:
        """Append user activities; all as for `metrics`, but for activities there is no reading back."""
        return self._append("/analytics/bulk/{tenant}", body)

    # -- how calls are made

    def _request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Request:
        headers = {"Authorization": f"Bearer {self._account.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Request(method, self._account.api_url + path, path, headers, params, body)

    def _get(self, path: str, params: Mapping[str, str], read: Callable[[bytes], T]) -> T:
        return self._repeatable(self._request("GET", path, params=params), lambda reply: read(reply.body))

    def _repeatable(self, request: Request, read: Callable[[Reply], T], *, also: Sequence[int] = ()) -> T:
        """A call to the main API, always safe to repeat; `read` raises ValueError on a body to ask again."""

        def attempt() -> T:
            return self._attempt(request, read, also)

        return self._transport.patiently(attempt, repeat=Temporary, budget=self._budget)

    def _attempt(self, request: Request, read: Callable[[Reply], T], also: Sequence[int] = ()) -> T:
        reply = self._transport.exchange(request)
        error = None if reply.status in also else refusal(request, reply)
        if error is not None:
            raise error
        try:
            return read(reply)
        except ValueError as why:
            raise _unreadable(request, reply, why) from None

    def _append(self, shown: str, body: bytes) -> tuple[str, ...]:
        tenant = self._account.tenant
        if tenant is None:
            raise SignInError("metrics and activities need the tenant token (a UUID); the account has none")
        url = self._account.analytics_url + shown.replace("{tenant}", quote(tenant, safe=""))
        request = Request(
            "POST", url, shown, {"Content-Type": "application/json", "Accept": "application/json"}, body=body
        )

        def attempt() -> tuple[str, ...]:
            doubt: Temporary
            try:
                return self._attempt(request, answers.received)
            except NotSent:
                raise
            except Temporary as error:
                doubt = error
            raise Doubt(
                f"{doubt.args[0]} Whether Planhat stored what was sent is not known, so it was not sent again.",
                call=doubt.call,
                status=doubt.status,
                said=doubt.said,
            )

        return self._transport.patiently(attempt, repeat=NotSent, budget=Unlimited())


def _unreadable(request: Request, reply: Reply, why: ValueError) -> UnreadableAnswer:
    return UnreadableAnswer(
        f"{request} answered {reply.status} with a body that is {why}: {reply.said}. If it stays so, look "
        "for a proxy in between or a wrong address.",
        call=str(request),
        status=reply.status,
        said=reply.said,
    )


def _object(body: bytes) -> Row:
    value = reading.parsed(body)
    if not isinstance(value, dict):
        raise ValueError("not a record")
    return cast("Row", value)
