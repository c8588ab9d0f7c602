"""What stands in a column and what arrives: ids, numbers, days, and values inside a VARIANT."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from planhat_pipelines_tests.e2e.place import Place, day


def sync(place: Place, rows: str, columns: str, **metrics: Any) -> Counter[Any]:
    """Verdicts of one run over a table of these columns."""
    place.companies("007", "7", "1234567890123456789")
    place.sql(f"CREATE OR REPLACE TABLE {{table}} ({columns})")
    place.sql(f"INSERT INTO {{table}} {rows}")
    facts = {
        "target": {"model": "company", "column": "A"},
        "date": "D",
        "values": [{"metric": "seats", "column": "V"}],
    }
    report = place.run(place.spec(incrementing_key="K", metrics=facts | metrics))
    assert place.nothing_was_dropped()
    return report.verdicts


@pytest.mark.parametrize(
    ("kind", "key", "external"),
    [
        ("VARCHAR", "'007'", "007"),
        ("NUMBER(38,0)", "7", "7"),
        ("NUMBER(10,2)", "7.00", "7"),
        ("FLOAT", "7.0", "7"),
        ("NUMBER(38,0)", "1234567890123456789", "1234567890123456789"),
        ("VARCHAR", "' 7 '", "7"),
    ],
)
def test_an_id_arrives_as_it_is_written(place: Place, kind: str, key: str, external: str) -> None:
    verdicts = sync(
        place, f"VALUES (1, {key}, '2026-01-01', 1)", f"K NUMBER(38,0), A {kind}, D DATE, V FLOAT"
    )
    assert verdicts == Counter(submitted=1)
    assert place.points() == Counter({("seats", "Company", external, day("2026-01-01"), 1.0): 1})


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        ("FLOAT", "0.1", 0.1),
        ("FLOAT", "1e300", 1e300),
        ("FLOAT", "-0.0", 0.0),
        ("NUMBER(38,0)", "9007199254740993", 9007199254740992.0),
        ("NUMBER(38,10)", "12345.6789012345", 12345.6789012345),
        ("VARCHAR", "' 41.5 '", 41.5),
        ("VARCHAR", "'1e3'", 1000.0),
        ("VARCHAR", "'many'", None),
        ("VARCHAR", "''", None),
        ("FLOAT", "'nan'::float", None),
        ("FLOAT", "'inf'::float", None),
        ("FLOAT", "NULL", None),
    ],
)
def test_a_finite_number_is_sent_and_anything_else_refused(
    place: Place, kind: str, value: str, sent: float | None
) -> None:
    verdicts = sync(
        place, f"SELECT 1, '7', '2026-01-01'::date, {value}", f"K NUMBER(38,0), A VARCHAR, D DATE, V {kind}"
    )
    assert verdicts == (Counter(refused=1) if sent is None else Counter(submitted=1))
    assert [point[4] for point in place.points()] == ([] if sent is None else [sent])


@pytest.mark.parametrize(
    ("kind", "when", "zone", "days"),
    [
        ("DATE", "'2026-03-01'", "Europe/Stockholm", "2026-03-01"),
        ("TIMESTAMP_TZ", "'2026-03-01 23:30:00 +0000'::timestamp_tz", "Europe/Stockholm", "2026-03-02"),
        ("TIMESTAMP_TZ", "'2026-03-02 01:30:00 +0500'::timestamp_tz", "Europe/Stockholm", "2026-03-01"),
        ("TIMESTAMP_TZ", "'2026-07-01 22:30:00 +0000'::timestamp_tz", "Europe/Stockholm", "2026-07-02"),
        ("TIMESTAMP_NTZ", "'2026-03-01 23:30:00'::timestamp_ntz", "Europe/Stockholm", "2026-03-01"),
        ("TIMESTAMP_TZ", "'2026-03-01 02:30:00 +0000'::timestamp_tz", "America/New_York", "2026-02-28"),
        ("VARCHAR", "'2026-03-01T23:30:00Z'", "Europe/Stockholm", "2026-03-02"),
        ("VARCHAR", "'20260301'", "Europe/Stockholm", "2026-03-01"),
        ("VARCHAR", "'1 March'", "Europe/Stockholm", None),
        ("DATE", "NULL", "UTC", None),
        ("TIMESTAMP_NTZ", "NULL", "UTC", None),
    ],
)
def test_a_point_belongs_to_the_day_in_the_named_zone(
    place: Place, kind: str, when: str, zone: str, days: str | None
) -> None:
    verdicts = sync(
        place,
        f"SELECT 1, '7', {when}, 5",
        f"K NUMBER(38,0), A VARCHAR, D {kind}, V FLOAT",
        date={"column": "D", "timezone": zone},
    )
    assert verdicts == (Counter(submitted=1) if days else Counter(refused=1))
    assert [point[3] for point in place.points()] == ([day(days)] if days else [])


def test_values_inside_a_variant_are_found_by_their_path(place: Place) -> None:
    plan = '{"seats": [{"used": 4}, {"used": 5.5}], "odd key": 9}'
    document = f'{{"account": {{"id": "007"}}, "plan": {plan}, "at": "2026-01-01"}}'
    verdicts = sync(
        place,
        f"SELECT 1, parse_json('{document}') UNION ALL SELECT 2, NULL UNION ALL SELECT 3, parse_json('{{}}')",
        "K NUMBER(38,0), P VARIANT",
        target={"model": "company", "column": "P", "path": "account.id"},
        date={"column": "P", "path": "at"},
        values=[
            {"metric": "used", "column": "P", "path": "plan.seats[1].used"},
            {"metric": "odd", "column": "P", "path": 'plan."odd key"'},
            {"metric": "none", "column": "P", "path": "plan.nothing"},
        ],
    )
    assert verdicts == Counter(submitted=1, refused=2)
    at = day("2026-01-01")
    assert place.points() == Counter(
        {("used", "Company", "007", at, 5.5): 1, ("odd", "Company", "007", at, 9.0): 1}
    )
