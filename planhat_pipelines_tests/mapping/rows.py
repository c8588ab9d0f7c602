"""Frames as sources give them, made up by hypothesis: whatever may stand in a column of a usage table."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import strategies as st

from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.targets import known_targets

IDS = ["c-1", "c-2", "twice", "no-external", "unknown"]
NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.5, 1e308, -1e-320, float("nan"), float("inf"), 9007199254740993.0]),
    st.floats(),
)
TEXTS = st.one_of(
    st.none(), st.sampled_from(["", " ", "41", " 7.5 ", "1e3", "many", "NaN", "inf", "0x1F"]), st.text()
)
DAYS = st.one_of(
    st.none(), st.sampled_from(["2026-01-01", "20260101", "2026-01-01T23:30:00Z", "soon", "", "2026-13-01"])
)
KEYS = st.one_of(st.none(), st.sampled_from([*IDS, "", " c-1 "]), st.text(max_size=3))


@st.composite
def frames(draw: st.DrawFn, most: int = 12) -> pl.DataFrame:
    """Rows with a key, a target, a day, a number and a text that may be a number."""
    rows = draw(st.lists(st.tuples(KEYS, DAYS, NUMBERS, TEXTS), max_size=most))
    columns: dict[str, Any] = {
        ROW: [str(at) for at in range(len(rows))],
        "target": [row[0] for row in rows],
        "day": [row[1] for row in rows],
        "number": [row[2] for row in rows],
        "text": [row[3] for row in rows],
    }
    types = {ROW: pl.String, "target": pl.String, "day": pl.String, "number": pl.Float64, "text": pl.String}
    return pl.DataFrame(columns, schema=types)


def records() -> pl.DataFrame:
    """What Planhat is said to hold."""
    rows = [
        ("1", "c-1", "s-1", None, "one@example.com"),
        ("2", "c-2", "s-2", None, "two@example.com"),
        ("3", "twice", None, "1", None),
        ("4", "twice", None, "2", None),
        ("5", None, "no-external", None, None),
    ]
    return pl.DataFrame(
        rows,
        schema=dict.fromkeys(["_id", "externalId", "sourceId", "companyId", "email"], pl.String),
        orient="row",
    )


def known(kind: str = "external") -> pl.DataFrame:
    """The same as targets of rows."""
    return known_targets(records(), kind)
