"""Whatever a table holds, every row ends in one place and every body says what plain Python says of the row."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planhat_pipelines.mapping.columns import ROW, Cell
from planhat_pipelines.mapping.records import COPIES, NO_KEY, FieldMapping, RecordsMapping
from planhat_pipelines.planhat.catalogue import model

COMPANIES = {"c1": "1" * 24, "c2": "2" * 24}
KNOWN = pl.DataFrame({"key": list(COMPANIES), "_id": list(COMPANIES.values())})
FIELDS = [
    FieldMapping("email", False, "text", Cell("T"), required=True),
    FieldMapping("Number", True, "number", Cell("N")),
    FieldMapping("Left", True, "text", Cell("T"), clear=False),
    FieldMapping("Deep \"'é", True, "text", Cell("J", "a.b[1]")),
    FieldMapping("List", True, "list", Cell("L"), clear=False),
    FieldMapping("Tier", True, "text", Cell("E"), allowed=("gold", "silver")),
    FieldMapping("Flag", True, "boolean", Cell("B")),
    FieldMapping("Always", True, "text", constant='"x"'),
]
MAPPING = RecordsMapping(model("enduser"), "externalId", FIELDS, Cell("C"))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            ROW: st.none() | TEXT.filter(bool),
            COPIES: st.sampled_from([1, 1, 1, 2]),
            "T": st.none() | TEXT,
            "N": st.none() | st.floats(),
            "J": st.none() | TEXT | TEXT.map(lambda text: json.dumps({"a": {"b": [0, text]}})),
            "L": st.none() | st.lists(TEXT, max_size=3).map(json.dumps) | st.sampled_from(["one", "[1", ""]),
            "E": st.sampled_from([None, "gold", "silver", "tin"]),
            "B": st.none() | st.booleans(),
            "C": st.sampled_from([None, "", " c1 ", "c1", "c2", "later"]),
        }
    ),
    max_size=6,
)
SCHEMA = {
    ROW: pl.String,
    COPIES: pl.Int64,
    **dict.fromkeys("TJLEC", pl.String),
    "N": pl.Float64,
    "B": pl.Boolean,
}


def oracle(row: dict[str, Any]) -> str | dict[str, Any]:
    """Where the row ends: "refused", "parked", or its record."""
    number, company = row["N"], (row["C"] or "").strip()
    unfit = row[ROW] is None or row[COPIES] > 1 or row["T"] is None or row["E"] == "tin" or not company
    unfit = unfit or (number is not None and not abs(number) < float("inf"))
    picked = listed(row["L"])
    if unfit or picked is NotImplemented:
        return "refused"
    if company not in COMPANIES:
        return "parked"
    custom = {"Number": number, "Left": row["T"], "Deep \"'é": deep(row["J"]), "Tier": row["E"]}
    custom |= {"Flag": row["B"], "Always": '"x"'} | ({"List": picked} if picked is not None else {})
    return {
        "externalId": row[ROW],
        "companyId": COMPANIES[company],
        "email": row["T"],
        "custom": custom,
    }


def listed(text: str | None) -> Any:
    if text is None or not text.startswith("["):
        return None if text is None else [text]
    try:
        return json.loads(text)
    except ValueError:
        return NotImplemented


def deep(text: str | None) -> str | None:
    try:
        return json.loads(text or "")["a"]["b"][1]
    except (ValueError, TypeError, KeyError):
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(ROWS)
def test_every_row_ends_once_and_says_what_the_oracle_says(rows: list[dict[str, Any]]) -> None:
    mapped = MAPPING.apply(pl.DataFrame(rows, schema=SCHEMA), KNOWN)
    wanted = [(row[ROW] or NO_KEY, oracle(row)) for row in rows]
    assert mapped.refused[ROW].to_list() == [row for row, end in wanted if end == "refused"]
    assert mapped.parked[ROW].to_list() == [row for row, end in wanted if end == "parked"]
    records = [end for _, end in wanted if isinstance(end, dict)]
    assert [json.loads(body) for body in mapped.ready["body"]] == records
    assert mapped.ready["key"].to_list() == [record["externalId"] for record in records]
    again = MAPPING.apply(pl.DataFrame(rows[::-1], schema=SCHEMA), KNOWN).ready
    assert again["hash"].to_list()[::-1] == mapped.ready["hash"].to_list()
    assert mapped.ready["hash"].n_unique() == mapped.ready["body"].n_unique()
