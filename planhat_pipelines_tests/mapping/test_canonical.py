"""Two writings of one value have one form; two values have two, as far as the narrower side can tell them apart."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_pipelines.mapping.canonical import Form
from planhat_pipelines.mapping.values import ValueType, value
from planhat_pipelines.planhat.reading import text

SCALE = 4
DECIMALS = st.decimals(min_value=-(10**9), max_value=10**9, places=SCALE, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def there(form: Form, given: str | None) -> str | None:
    """What a text of Planhat is compared by."""
    found = pl.DataFrame({"x": [given]}, schema={"x": pl.String}).select(
        form.of_planhat(pl.col("x")).alias("x")
    )
    return found.select(form.comparable(pl.col("x"))).item()


def here(form: Form, cell: Any, dtype: Any) -> str | None:
    """What a cell of Snowflake is compared by."""
    frame = pl.DataFrame({"x": [cell]}, schema={"x": dtype})
    found = value(pl.col("x"), frame.schema["x"], form.kind, form.timezone, "x")
    return frame.select(form.of_value(found).alias("x")).select(form.comparable(pl.col("x"))).item()


@settings(max_examples=40, deadline=None)
@given(DECIMALS)
def test_a_number_is_the_same_on_both_sides(number: Decimal) -> None:
    for kind in ("number", "text"):
        form = Form(kind, "number", SCALE)
        cell = here(form, number, pl.Decimal(38, SCALE))
        assert cell == there(form, text(float(number))) == there(form, str(number))
        assert cell == there(form, f"{number}00" if "." in str(number) else f"{number}.00")
        assert cell != there(form, str(number + Decimal("0.0002")))


@settings(max_examples=40, deadline=None)
@given(JSON, st.sampled_from([None, 2]))
def test_json_is_the_same_however_it_is_written(document: Any, indent: int | None) -> None:
    for kind, holds in (("json", "json"), ("json", "text"), ("text", "json")):
        form = Form(kind, holds)  # type: ignore[arg-type]
        if document is None:
            continue
        written = json.dumps(document, indent=indent, ensure_ascii=bool(indent))
        assert here(form, written, pl.String) == there(form, json.dumps(document, ensure_ascii=False))


CASES: list[tuple[ValueType, str, str | None, str | None]] = [
    ("text", "text", "", None),
    ("text", "number", "007.50", "7.5"),
    ("text", "number", "1e3", "1000"),
    ("text", "number", "-0.00", "0"),
    ("text", "number", "1.23456", "1.2346"),
    ("text", "number", "12345678901234567890123", "12345678901234567890123.0"),
    ("text", "number", "word", "word"),
    ("text", "time", "2026-03-01", "2026-03-01T00:00:00.000Z"),
    ("text", "day", "2026-03-01T00:00:00.000Z", "2026-03-01"),
    ("number", "number", "-0.0", "0"),
    ("boolean", "boolean", "Yes", "true"),
    ("list", "json", "[]", None),
    ("list", "json", "a", '["a"]'),
]


@pytest.mark.parametrize(("kind", "holds", "one", "other"), CASES)
def test_writings_that_mean_the_same_are_the_same(
    kind: ValueType, holds: Any, one: str | None, other: str | None
) -> None:
    form = Form(kind, holds, SCALE if holds == "number" else None)
    assert there(form, one) == there(form, other)
    assert there(form, one) != there(form, "something else")


def test_a_moment_is_a_day_in_the_zone_of_its_column() -> None:
    form = Form("date", "day", timezone="Europe/Stockholm")
    assert there(form, "2026-02-28T23:00:00.000Z") == there(form, "2026-03-01T22:59:59.000Z") == "2026-03-01"
