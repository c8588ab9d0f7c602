"""What stands in a column is what Planhat holds, to the last digit and the last character."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from planhat_pipelines.mapping.columns import ROW, Cell, MappingError
from planhat_pipelines.mapping.records import COPIES, FieldMapping, RecordsMapping
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines_tests.records.crm import Crm, of

NOTHING = object()
CELLS: list[
    tuple[str, str, str, Any]
] = [  # type of the column, SQL, type of the custom field, what Planhat holds
    ("VARCHAR", "'Zoë \"Z\" O''Neil\\\\ / 日本 😀'", "text", 'Zoë "Z" O\'Neil\\ / 日本 😀'),
    ("VARCHAR", "'a\\tb\\nc' || CHR(1) || 'd'", "text", "a\tb\nc\x01d"),
    ("VARCHAR", "'007'", "text", "007"),
    ("VARCHAR", "''", "text", ""),
    ("VARCHAR", "NULL", "text", NOTHING),
    ("NUMBER(38,0)", "1234567890123456789", "text", "1234567890123456789"),
    ("NUMBER(38,0)", "1234567890123456789", "number", 1234567890123456789),
    ("NUMBER(12,2)", "5.00", "text", "5"),
    ("NUMBER(12,2)", "-0.01", "number", -0.01),
    ("FLOAT", "0.1", "number", 0.1),
    ("FLOAT", "'nan'::float", "number", "refused"),
    ("VARCHAR", "' +0041.50 '", "number", 41.5),
    ("VARCHAR", "'1e999'", "number", "refused"),
    ("VARCHAR", "'many'", "number", "refused"),
    ("VARCHAR", "' '", "number", NOTHING),
    ("BOOLEAN", "TRUE", "checkbox", True),
    ("VARCHAR", "'No'", "checkbox", False),
    ("NUMBER(1,0)", "1", "checkbox", True),
    ("VARCHAR", "'maybe'", "checkbox", "refused"),
    ("DATE", "'2026-03-01'", "day", "2026-03-01T00:00:00.000Z"),
    ("TIMESTAMP_NTZ", "NULL", "date", NOTHING),
    ("TIMESTAMP_NTZ", "'2026-03-01 23:30:00.123456'", "date", "2026-03-01T23:30:00.123Z"),
    ("TIMESTAMP_TZ", "'2026-03-01 23:30:00 -0500'::TIMESTAMP_TZ", "date", "2026-03-02T04:30:00.000Z"),
    ("TIMESTAMP_TZ", "'2026-03-01 23:30:00 -0500'::TIMESTAMP_TZ", "day", "2026-03-02T00:00:00.000Z"),
    ("VARCHAR", "'1 March'", "day", "refused"),
    ("VARIANT", 'PARSE_JSON(\'["b", "a"]\')', "multipicklist", ["b", "a"]),
    ("VARCHAR", "'2024'", "multipicklist", ["2024"]),
    ("VARCHAR", "'one, two'", "multipicklist", ["one, two"]),
]


@pytest.fixture
def many(crm: Crm) -> Crm:
    """A custom field for each case."""
    for at, (_, _, kind, _) in enumerate(CELLS):
        crm.custom(f"Field {at}", kind)
    return crm


def test_every_kind_of_value_arrives_as_it_is(many: Crm) -> None:
    columns = ", ".join(f"C{at} {kind}" for at, (kind, _, _, _) in enumerate(CELLS))
    many.sql(f"CREATE OR REPLACE TABLE {{table}} (ID VARCHAR, {columns}) CHANGE_TRACKING = TRUE")
    good = [at for at, (*_, held) in enumerate(CELLS) if held != "refused"]
    bad = [at for at in range(len(CELLS)) if at not in good]
    fields = [{"value": "N", "field": "name"}]
    fields += [{"column": f"C{at}", "field": f"custom.Field {at}"} for at in range(len(CELLS))]
    names = ", ".join(f"C{at}" for at in good)
    many.sql(f"INSERT INTO {{table}} (ID, {names}) SELECT 'good', {', '.join(CELLS[at][1] for at in good)}")
    for at in bad:
        many.sql(f"INSERT INTO {{table}} (ID, C{at}) SELECT 'bad{at}', {CELLS[at][1]}")
    assert of(many.run(many.spec(fields=fields))) == {"created": 1, "refused": len(bad)}
    refused = {(each.row, each.field) for each in many.ledger.rejections("accounts")}
    assert refused == {(f"bad{at}", f"custom.Field {at}") for at in bad}
    held = many.held()["good"]["custom"]
    for at in good:
        assert held.get(f"Field {at}", NOTHING) == CELLS[at][3], CELLS[at]
    assert of(many.run(many.spec(fields=fields), full=True))["unchanged"] == 1
    many.sql("UPDATE {table} SET " + ", ".join(f"C{at} = NULL" for at in good))
    assert of(many.run(many.spec(fields=fields))) == {"updated": 1}
    assert many.held()["good"]["custom"] == {}


def test_values_inside_a_variant_and_expressions_and_constants(crm: Crm) -> None:
    for name, kind in {"Used": "number", "Odd": "text", "Sum": "number", "Always": "text"}.items():
        crm.custom(name, kind)
    plan = '"plan": {"seats": [{"used": 4}, {"used": 5.5}]}'
    document = f'{{{plan}, "odd.key": "ü\\\\"q", "tags": ["x", "y"], "none": null}}'
    crm.sql("CREATE OR REPLACE TABLE {table} (ID VARCHAR, P VARIANT, A NUMBER(10,2)) CHANGE_TRACKING = TRUE")
    crm.sql(f"INSERT INTO {{table}} SELECT '1', PARSE_JSON('{document}'), 1.10")
    fields = [
        {"expression": "upper(ID) || '-' || ID", "field": "name"},
        {"column": "P", "path": "plan.seats[1].used", "field": "custom.Used"},
        {"column": "P", "path": '"odd.key"', "field": "custom.Odd"},
        {"column": "P", "path": "tags", "field": "tags"},
        {"column": "P", "path": "none", "field": "city"},
        {"expression": "A * 2", "field": "custom.Sum"},
        {"value": "fixed", "field": "custom.Always"},
    ]
    assert of(crm.run(crm.spec(fields=fields))) == {"created": 1}
    held = crm.held()["1"]
    assert (held["name"], held["tags"], held.get("city")) == ("1-1", ["x", "y"], None)
    assert held["custom"] == {"Used": 5.5, "Odd": 'ü"q', "Sum": 2.2, "Always": "fixed"}


LONG = [
    '{"n": 99999999999999999999999999999999999999}',
    '{"n": "007", "other": 12345678901234567.89}',
    '{"n": 1.5, "note": "1234567890123456789"}',
    '{"n": [12345678901234567890123, true], "m": null}',
    '{"n": null, "other": 12345678901234567.89}',
]


def test_no_digit_is_lost_on_the_way_out_of_a_variant(crm: Crm) -> None:
    crm.sql("CREATE OR REPLACE TABLE {table} (ID VARCHAR, P VARIANT) CHANGE_TRACKING = TRUE")
    crm.sql(
        "INSERT INTO {table} "
        + " UNION ALL ".join(f"SELECT '{at}', PARSE_JSON('{text}')" for at, text in enumerate(LONG))
    )
    fields = [{"column": "ID", "field": "name"}, {"column": "P", "path": "n", "field": "city"}]
    assert of(crm.run(crm.spec(fields=fields))) == {"created": len(LONG)}
    found = [crm.held()[str(at)].get("city") for at in range(len(LONG))]
    assert found == ["9" * 38, "007", "1.5", "[12345678901234567890123,true]", None]


def test_a_field_declared_integer_refuses_what_has_decimals(crm: Crm) -> None:
    crm.custom("Seats", "number")
    crm.table_of("ID VARCHAR, N NUMBER(10,2), F FLOAT", ("a", 5.5, 1), ("b", 5, 5.5), ("c", 5, 6))
    fields = [{"column": "ID", "field": "name"}, {"column": "N", "field": "custom.Seats", "type": "integer"}]
    assert of(crm.run(crm.spec(fields=fields))) == {"created": 2, "refused": 1}
    assert [(each.row, each.reason) for each in crm.ledger.rejections("accounts")] == [("a", "is no integer")]
    fields[1]["column"] = "F"
    assert of(crm.run(crm.spec(fields=fields))) == {"updated": 1, "created": 1, "refused": 1}
    assert {key: each["custom"]["Seats"] for key, each in crm.held().items()} == {"a": 1, "b": 5, "c": 6}


def test_nothing_clears_a_field_or_leaves_it_as_the_mapping_says(crm: Crm) -> None:
    crm.accounts(("a", "Ana", "Oslo", "DE"))
    fields: list[dict[str, Any]] = [
        {"column": "NAME", "field": "name"},
        {"column": "CITY", "field": "city"},
        {"column": "NOTE", "field": "country", "nulls": "leave"},
    ]
    crm.run(crm.spec(fields=fields))
    crm.sql("UPDATE {table} SET CITY = NULL, NOTE = NULL")
    assert of(crm.run(crm.spec(fields=fields))) == {"updated": 1}
    assert (crm.held()["a"].get("city"), crm.held()["a"]["country"]) == (None, "DE")


def body(value: Any, dtype: Any, kind: str, path: str | None = None) -> Any:
    """The text of one mapped record."""
    field = FieldMapping("V", True, kind, Cell("C", path))  # type: ignore[arg-type]
    rows = pl.DataFrame({ROW: ["k"], COPIES: [1], "C": pl.Series([value], dtype=dtype)})
    mapped = RecordsMapping(model("company"), "externalId", [field]).apply(rows, None)
    return mapped.ready["body"].item() if mapped.ready.height else mapped.refused["reason"].item()


@pytest.mark.parametrize(
    "digits", ["99999999999999999999999999999999999999", "12345678901234567.89", "1.00000000000000000001"]
)
def test_no_digit_of_money_is_lost(digits: str) -> None:
    scale = len(digits.partition(".")[2])
    found = body(Decimal(digits), pl.Decimal(38, scale), "number")
    assert found == f'{{"externalId":"k","custom":{{"V":{digits}}}}}'
    assert body(digits, pl.String, "number") == found
    assert body(f'{{"plan": [{{"n": {digits}}}]}}', pl.String, "number", "plan[0].n") == found


def test_an_expression_that_fails_on_some_rows_is_named_without_their_values() -> None:
    field = FieldMapping("V", True, "number", expression="CAST(C AS INT)")
    rows = pl.DataFrame({ROW: ["k"], COPIES: [1], "C": ["secret"]})
    with pytest.raises(MappingError) as raised:
        RecordsMapping(model("company"), "externalId", [field]).apply(rows, None)
    assert "custom.V" in str(raised.value)
    assert "TRY_CAST" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert json.loads(body("x", pl.String, "text"))["custom"] == {"V": "x"}
