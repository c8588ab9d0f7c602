"""Days and points in time are read out of text in any of the ways they are written, also where a column mixes them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from planhat_pipelines.mapping.moments import days, instants

ZONE = "Europe/Stockholm"
WRITTEN = {
    "2026-10-01": (date(2026, 10, 1), datetime(2026, 9, 30, 22, tzinfo=UTC)),
    "20261001": (date(2026, 10, 1), datetime(2026, 9, 30, 22, tzinfo=UTC)),
    "2026/10/01": (date(2026, 10, 1), datetime(2026, 9, 30, 22, tzinfo=UTC)),
    "2026-10-01T22:30:00Z": (date(2026, 10, 2), datetime(2026, 10, 1, 22, 30, tzinfo=UTC)),
    "2026-10-01T22:30:00.5z": (date(2026, 10, 2), datetime(2026, 10, 1, 22, 30, 0, 500_000, tzinfo=UTC)),
    "2026-10-01 22:30:00 +02:00": (date(2026, 10, 1), datetime(2026, 10, 1, 20, 30, tzinfo=UTC)),
    "2026-10-01T22:30+0200": (date(2026, 10, 1), datetime(2026, 10, 1, 20, 30, tzinfo=UTC)),
    " 2026-10-01 22:30 ": (date(2026, 10, 1), datetime(2026, 10, 1, 20, 30, tzinfo=UTC)),
    "2026-10-01T22:30:00": (date(2026, 10, 1), datetime(2026, 10, 1, 20, 30, tzinfo=UTC)),
    "2026-03-29T02:30:00": (date(2026, 3, 29), None),  # an hour that spring leaves out
    "2026-10-25T02:30:00": (date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # autumn's first
    "01.10.2026": (None, None),
    "2026-02-30": (None, None),
    "yesterday": (None, None),
    "": (None, None),
}


def read(texts: list[str | None]) -> list[tuple[date | None, datetime | None]]:
    column = pl.Series("at", texts, pl.String)
    return list(zip(days(column, ZONE), instants(column, ZONE), strict=True))


@pytest.mark.parametrize("text", list(WRITTEN))
def test_a_column_written_in_one_way_is_read(text: str) -> None:
    assert read([None, text, text]) == [(None, None), WRITTEN[text], WRITTEN[text]]


def test_a_column_that_mixes_all_ways_says_the_same_whatever_comes_first() -> None:
    for first in range(len(WRITTEN)):
        texts = [*list(WRITTEN)[first:], None, *list(WRITTEN)[:first]]
        assert read(texts) == [WRITTEN[text] if text is not None else (None, None) for text in texts]
    assert read([]) == []
    assert read([None]) == [(None, None)]
