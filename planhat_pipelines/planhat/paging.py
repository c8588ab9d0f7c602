"""Walk through a list that is read by offset while others change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from planhat_pipelines.planhat.errors import UnreadableAnswer

Row = dict[str, Any]

TINY = 100  # no list of Planhat caps its pages lower, so a shorter one is the last
_STEPS_BACK = 50


def walk(fetch: Callable[[int], list[Row]], limit: int) -> Iterator[list[Row]]:
    """Every row once, in pages. `fetch(offset)` gives at most `limit` rows, by `_id` if the server sorts.

    Each page begins with a row that has been seen; if it does not, records were deleted meanwhile and the
    rows have moved up, so we step back. A server that caps pages below `limit` is walked to the end all the
    same, and one that does not sort too, if its records keep their order.
    """
    offset, last, steps_back, sorted_so_far = 0, "", 0, True
    seen: set[str] = set()
    while True:
        page = fetch(offset)
        ids = [str(row.get("_id")) for row in page]
        sorted_so_far = sorted_so_far and all(a < b for a, b in pairwise(ids))
        joined = bool(ids) and (ids[0] in seen or (sorted_so_far and ids[0] < last))
        if offset and not joined:
            offset = max(0, offset - limit)
            steps_back += 1
            if steps_back > _STEPS_BACK:
                raise UnreadableAnswer("the list changes faster than it can be read.")
            continue
        fresh = [row for row, key in zip(page, ids, strict=True) if key not in seen]
        seen.update(ids)
        if fresh:
            yield fresh
        if len(page) < TINY or (not fresh and ids[-1] == last):
            return
        last = ids[-1]
        offset += len(page) - 1


def repeated(before: Sequence[Any], page: Sequence[Any]) -> int | None:
    """How many rows at the start of `page` are the last ones of the page `before` it; None if it does not go on
    where that one ended, or repeats it whole, as from a server that knows no offset."""
    if not page or page[0] not in before:
        return None
    tail = before[before.index(page[0]) :]
    return len(tail) if len(tail) < len(before) and page[: len(tail)] == tail else None
