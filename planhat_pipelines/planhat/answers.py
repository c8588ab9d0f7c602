"""Planhat's answer to a bulk upsert, whatever form it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import polars as pl
from pydantic_core import SchemaValidator, core_schema

from planhat_pipelines.planhat.account import masked
from planhat_pipelines.planhat.reading import Row, parsed, text
from planhat_pipelines.planhat.replies import Reply

_KEYS = ("_id", "externalId", "sourceId")
_WORDS = ("message", "error", "errmsg", "reason")
_COUNTERS = ("created", "updated", "nonupdates")
_ERRORS = ("createdErrors", "updatedErrors")
_BRIEF = (*_COUNTERS, *_ERRORS, "permissionErrors")
_ALL = (*_BRIEF, "insertsKeys", "updatesKeys")
_optional = core_schema.typed_dict_field(core_schema.any_schema(), required=False)
_brief = SchemaValidator(core_schema.typed_dict_schema(dict.fromkeys(_BRIEF, _optional)))


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of an answer: Planhat's words (masked), and the item's keys where it names them (rarely)."""

    words: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What Planhat says of one batch of `sent` items. Source: Planhat developers, bulk upsert.

    `dropped` items are counted nowhere: neither stored nor refused in words. A `permission` error may mean a
    field of an item and not the item, so the items that failed are those that are not `stored`, however many
    errors there are.
    """

    status: int
    sent: int
    created: int
    updated: int
    unchanged: int
    errors: tuple[Complaint, ...] = ()
    permission_errors: tuple[Complaint, ...] = ()
    documented: bool = False  # the body is Planhat's own object, with counts to be believed
    _body: bytes = field(default=b"", repr=False)

    @property
    def stored(self) -> int:
        return self.created + self.updated + self.unchanged

    @property
    def failed(self) -> int:
        return max(0, self.sent - self.stored)

    @property
    def dropped(self) -> int:
        return max(0, self.failed - len(self.errors) - len(self.permission_errors))

    @property
    def created_keys(self) -> pl.DataFrame:
        """_id, externalId and sourceId (text, null where there is none) of the records that were created."""
        return _keys(self._body, "insertsKeys")

    @property
    def updated_keys(self) -> pl.DataFrame:
        return _keys(self._body, "updatesKeys")


def _keys(body: bytes, name: str) -> pl.DataFrame:
    found = _records(parsed(body).get(name)) if body else ()
    return pl.DataFrame(
        {key: [text(row.get(key)) for row in found] for key in _KEYS}, schema=dict.fromkeys(_KEYS, pl.String)
    )


def read(reply: Reply, sent: int) -> Answer:
    """The answer in a reply of status 200, 206, 400 or 403; ValueError if it tells nothing of the items.

    Bodies seen: the documented object, an object with a message, a bare string, plain text, HTML. What is not
    the documented object is one complaint about the whole batch, and believed only where the status says
    failure.
    """
    try:  # most answers have no failures, and of those nobody needs the thousands of keys
        body: Any = _brief.validate_json(reply.body)
    except ValueError:
        body = None
    if body is None or any(_count(body.get(key)) is None for key in _COUNTERS):
        try:
            body = parsed(reply.body)
        except ValueError:
            body = None
    if isinstance(body, dict) and any(key in body for key in _ALL):
        return _documented(reply, cast("Row", body), sent)
    if reply.status not in (206, 400):
        raise ValueError("not the answer of a bulk upsert")
    complaint = _complaint(body) if isinstance(body, dict | str) else Complaint(reply.said, {})
    if not complaint.words:
        complaint = Complaint(f"answered {reply.status} without a word", {})
    return Answer(reply.status, sent, 0, 0, 0, errors=(complaint,))


def received(reply: Reply) -> tuple[str, ...]:
    """The complaints in the analytics host's answer, masked; ValueError if the answer can't be Planhat's.

    Bodies seen: nothing, `{}`, text, and `{"processed": n, "errors": [...]}`. None of them proves storage.
    """
    try:
        body = parsed(reply.body) if reply.body.strip() else None
    except ValueError:
        if reply.body.lstrip().startswith(b"<"):
            raise
        return ()
    return (
        tuple(c.words for c in _complaints(cast("Row", body).get("errors"))) if isinstance(body, dict) else ()
    )


def _documented(reply: Reply, body: Row, sent: int) -> Answer:
    inserts, updates = _records(body.get("insertsKeys")), _records(body.get("updatesKeys"))
    created, updated, unchanged = (_count(body.get(key)) for key in _COUNTERS)
    created = len(inserts) if created is None else created
    updated = len(updates) if updated is None else updated
    unchanged = unchanged or 0
    if created + updated + unchanged > sent:
        raise ValueError("a count of more items than were sent")
    return Answer(
        reply.status,
        sent,
        created,
        updated,
        unchanged,
        documented=True,
        errors=tuple(c for key in _ERRORS for c in _complaints(body.get(key))),
        permission_errors=_complaints(body.get("permissionErrors")),
        _body=reply.body,
    )


def _records(value: Any) -> list[Row]:
    return (
        [cast("Row", row) for row in cast("list[Any]", value) if isinstance(row, dict)]
        if isinstance(value, list)
        else []
    )


def _count(value: Any) -> int | None:
    return (
        int(value) if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()) else None
    )


def _complaints(value: Any) -> tuple[Complaint, ...]:
    if not value:
        return ()
    return tuple(
        _complaint(item) for item in (cast("list[Any]", value) if isinstance(value, list) else [value])
    )


def _complaint(value: Any) -> Complaint:
    if not isinstance(value, dict):
        return Complaint(masked((text(value) or "")[:2000])[:300], {})
    found = cast("Row", value)
    words = next((found[key] for key in _WORDS if isinstance(found.get(key), str)), None) or text(found)
    places = (found, *(cast("Row", value) for value in found.values() if isinstance(value, dict)))
    keys = {key: named for place in places for key in (*_KEYS, "email") if (named := text(place.get(key)))}
    return Complaint(masked(str(words)[:2000])[:300], keys)
