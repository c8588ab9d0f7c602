"""Deliver a batch of records and learn the end of every item, though Planhat does not say which one failed.

An answer lists the keys of what was created and updated, counts what was unchanged, and complains of failures
without naming the item; some items vanish without a word. So an item's end is found by keys first; where
counts and keys leave a doubt, by sending halves of what is left again (safe: an upsert by key), down to
single items; and what vanished is asked for by key. An answer without failures is settled by its counts
alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

import polars as pl

from planhat_pipelines.planhat.answers import Answer, Complaint
from planhat_pipelines.planhat.catalogue import Model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.errors import PermissionDenied, TooLarge
from planhat_pipelines.planhat.vanished import trace

Verdict = Literal["created", "updated", "unchanged", "refused"]

_CALLS = 400  # repeats spent at most on the failures of one batch: two minutes of the whole quota
_ASKS = 50  # items that vanished and are asked for one by one; the rest then counts as dropped like them
_REFUSED = {"item": pl.UInt32, "reason": pl.String}


@dataclass(frozen=True)
class Outcome:
    """How a batch ended: created + updated + unchanged + refused = items sent.

    `refused` holds `item` (its row number in the batch, from 0) and `reason` (Planhat's words, masked).
    `said` are all complaints of the first answer: with nothing refused, they are of single fields that the
    token may not write.
    """

    created: int
    updated: int
    unchanged: int
    refused: pl.DataFrame
    said: tuple[str, ...]
    _batch: _Batch = field(repr=False)
    _answer: Answer | None = field(
        default=None, repr=False
    )  # of a batch without failures, told item by item only if somebody asks

    @cached_property
    def verdicts(self) -> pl.Series:
        """The verdict of every item, in the batch's order.

        Where several items share a key (contacts of several companies may) or Planhat lists no key of theirs
        (e-mail as the key), which of them was created and which updated can't be told; the numbers are right
        all the same.
        """
        if self._answer is not None:
            self._batch.settle(range(self._batch.size), self._answer)
        return pl.Series("verdict", self._batch.verdicts, dtype=pl.String)


def body_of(items: pl.DataFrame) -> bytes:
    """The request body of a batch: the JSON objects in column `body` as one array."""
    return b"[%b]" % items["body"].str.join(",").cast(pl.Binary).item()


def deliver(client: Planhat, model: Model, items: pl.DataFrame, body: bytes | None = None) -> Outcome:
    """Upsert a batch and tell how each item ended; raises PlanhatError when that can't be known.

    `items`: one row an item, with its JSON object in `body` and its keys in columns named as Planhat names
    them, those of `model.keys` that are in use (text; every item needs one). `body`: `body_of(items)`, if it
    is there already. Delivering a batch again does no harm; what was created the first time is unchanged
    then.
    """
    batch = _Batch(client, model, items)
    said: tuple[str, ...] = ()
    try:
        answer = client.upsert(model, body or body_of(items), len(items))
    except TooLarge as error:
        batch.too_large(range(len(items)), error)
    else:
        if not answer.failed:
            nothing = pl.DataFrame(schema=_REFUSED)
            return Outcome(
                answer.created, answer.updated, answer.unchanged, nothing, _words(answer), batch, answer
            )
        said = _words(answer)
        if answer.status == 403 and len(answer.permission_errors) >= len(items) == answer.failed:
            raise PermissionDenied(
                f"PUT /{model.path} answered 403 for every item: {'; '.join(said)}. Give the Private App the "
                f"permission to create and update {model.title} in Planhat.",
                call=f"PUT /{model.path}",
                status=403,
                said=said[0],
            )
        batch.settle(range(len(items)), answer)
    count = Counter(batch.verdicts)
    refused = pl.DataFrame(sorted(batch.reasons.items()), schema=_REFUSED, orient="row")
    return Outcome(count["created"], count["updated"], count["unchanged"], refused, said, batch)


class _Batch:
    """The items of one delivery and what is known of them."""

    def __init__(self, client: Planhat, model: Model, items: pl.DataFrame) -> None:
        self._client = client
        self._model = model
        self._items = items
        self._kinds = [kind for kind in model.keys if kind in items.columns]
        keyed = pl.any_horizontal(pl.col(kind).str.len_bytes() > 0 for kind in self._kinds)
        if not self._kinds or not items.select(keyed.fill_null(False).all()).item():
            raise ValueError(
                f"{model.title}: an item has none of the keys {', '.join(model.keys)}; every delivery would create "
                "it anew"
            )
        self._calls, self._asks = _CALLS, _ASKS
        self.size = len(items)
        self.verdicts: list[Verdict | None] = [None] * self.size
        self.reasons: dict[int, str] = {}

    @cached_property
    def _keys(self) -> list[tuple[str, str]]:
        """The key by which Planhat finds each item: the first it has, in Planhat's order."""
        columns = self._items.select(self._kinds).iter_rows()
        return [
            next((kind, value) for kind, value in zip(self._kinds, row, strict=True) if value)
            for row in columns
        ]

    # -- what an answer tells

    def settle(self, rows: Sequence[int], answer: Answer) -> None:
        """Give every one of `rows`, which were sent together, the verdict that the answer tells or further calls do."""
        left, created, updated = self._listed(rows, answer)
        if answer.failed and answer.failed >= len(left):
            self._all_failed(left, answer)
            return
        if answer.failed:
            self._halve(left, answer)
        stored = [row for row in left if self.verdicts[row] not in ("refused", "created")]
        # what a repeat finds unchanged, the first call may have created or updated
        first_time = ["created"] * created + ["updated"] * updated + ["unchanged"] * answer.unchanged
        for row, verdict in zip(stored, cast("list[Verdict]", first_time), strict=False):
            self.verdicts[row] = verdict

    def _listed(self, rows: Sequence[int], answer: Answer) -> tuple[list[int], int, int]:
        """Settle the rows whose key the answer lists; the others, and how many of them were created and updated."""
        made = {
            "created": _count(answer.created_keys, self._kinds),
            "updated": _count(answer.updated_keys, self._kinds),
        }
        by_key: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for row in rows:
            by_key[self._keys[row]].append(row)
        told: dict[int, Verdict] = {}
        for key, same in by_key.items():
            ends = ["created"] * made["created"][key] + ["updated"] * made["updated"][key]
            if len(ends) == len(same):
                told.update(zip(same, cast("list[Verdict]", ends), strict=True))
        count = Counter(told.values())
        created, updated = answer.created - count["created"], answer.updated - count["updated"]
        if created < 0 or updated < 0:  # keys and counts contradict each other: believe the counts
            return list(rows), answer.created, answer.updated
        for row, verdict in told.items():
            self.verdicts[row] = verdict
        return [row for row in rows if row not in told], created, updated

    def _all_failed(self, rows: Sequence[int], answer: Answer) -> None:
        named, complaints = self._named(rows, (*answer.errors, *answer.permission_errors))
        for row, words in named.items():
            self._refuse(row, words)
        others = [row for row in rows if row not in named]
        texts = sorted({complaint.words for complaint in complaints})
        one_each = answer.documented and len(complaints) >= len(others)
        if not complaints:
            for row in others:
                self._vanished(row)
        elif len(rows) == 1 or (one_each and (len(others) == 1 or len(texts) == 1)):
            for row in others:
                self._refuse(row, "; ".join(texts))
        elif others:
            self._halve(others, answer)

    def _named(
        self, rows: Sequence[int], complaints: Sequence[Complaint]
    ) -> tuple[dict[int, str], list[Complaint]]:
        """The rows that a complaint names, with its words, and the complaints that name none."""
        words = {key: complaint.words for complaint in complaints for key in complaint.keys.items()}
        named = {row: words[self._keys[row]] for row in rows if self._keys[row] in words}
        keys = {self._keys[row] for row in named}
        return named, [complaint for complaint in complaints if keys.isdisjoint(complaint.keys.items())]

    # -- what further calls tell

    def _halve(self, rows: Sequence[int], answer: Answer) -> None:
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]):
            if self._calls <= 0:
                words = "; ".join(_words(answer)[:3]) or "nothing"
                for row in half:
                    self._refuse(
                        row, f"not told apart from others of its batch, to which Planhat said: {words}"
                    )
                continue
            self._calls -= 1
            try:
                again = self._client.upsert(self._model, body_of(self._items[list(half)]), len(half))
            except TooLarge as error:
                self.too_large(half, error)
            else:
                self.settle(half, again)

    def too_large(self, rows: Sequence[int], error: TooLarge) -> None:
        if len(rows) == 1:
            self._refuse(rows[0], f"too large for Planhat, even alone: {error}")
        else:
            nothing = Answer(413, len(rows), 0, 0, 0, errors=(Complaint(error.said or "too large", {}),))
            self._halve(rows, nothing)

    def _vanished(self, row: int) -> None:
        reason = "dropped without a word"
        if self._asks > 0:
            self._asks -= 1
            found = trace(self._client, self._model, self._keys[row], self._items["body"][row])
            if found is None:
                self.verdicts[row] = "unchanged"
                return
            reason = found
        self._refuse(row, reason)

    def _refuse(self, row: int, reason: str) -> None:
        self.verdicts[row] = "refused"
        self.reasons[row] = reason


def _words(answer: Answer) -> tuple[str, ...]:
    return tuple(sorted({complaint.words for complaint in (*answer.errors, *answer.permission_errors)}))


def _count(keys: pl.DataFrame, kinds: Sequence[str]) -> Counter[tuple[str, str]]:
    listed = (kind for kind in kinds if kind in keys.columns)
    return Counter((kind, value) for kind in listed for value in keys[kind] if value is not None)
