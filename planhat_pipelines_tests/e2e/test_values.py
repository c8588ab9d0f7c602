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
    ("kind", "ids"),
    [
        ("VARCHAR", {"'007'": "007", "' 7 '": "7"}),
        ("NUMBER(38,0)", {"7": "7", "1234567890123456789": "1234567890123456789"}),
        ("NUMBER(10,2)", {"7.00": "7"}),
        ("FLOAT", {"7.0": "7"}),
    ],
)
def test_an_id_arrives_as_it_is_written(place: Place, kind: str, ids: dict[str, str]) -> None:
    rows = ", ".join(f"({place}, {key}, '2026-01-01', {place})" for place, key in enumerate(ids, 1))
    verdicts = sync(place, f"VALUES {rows}", f"K NUMBER(38,0), A {kind}, D DATE, V FLOAT")
    assert verdicts == Counter(submitted=len(ids))
    at = day("2026-01-01")
    assert place.points() == Counter(
        {
            ("seats", "Company", external, at, float(value)): 1
            for value, external in enumerate(ids.values(), 1)
        }
    )


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (
            "FLOAT",
            {
                "0.1": 0.1,
                "1e300": 1e300,
                "-0.0": 0.0,
                "'nan'::float": None,
                "'inf'::float": None,
                "NULL": None,
            },
        ),
        ("NUMBER(38,0)", {"9007199254740993": 9007199254740992.0}),
        ("NUMBER(38,10)", {"12345.6789012345": 12345.6789012345}),
        ("VARCHAR", {"' 41.5 '": 41.5, "'1e3'": 1000.0, "'many'": None, "''": None}),
    ],
)
def test_a_finite_number_is_sent_and_anything_else_refused(
    place: Place, kind: str, values: dict[str, float | None]
) -> None:
    rows = [f"SELECT {key}, '7', '2026-01-01'::date, {value}" for key, value in enumerate(values, 1)]
    verdicts = sync(place, " UNION ALL ".join(rows), f"K NUMBER(38,0), A VARCHAR, D DATE, V {kind}")
    sent = [value for value in values.values() if value is not None]
    assert verdicts == +Counter(submitted=len(sent), refused=len(values) - len(sent))
    assert Counter(point[4] for point in place.points()) == Counter(sent)
    unfit = [str(key) for key, value in enumerate(values.values(), 1) if value is None]
    assert sorted(each.row for each in place.ledger.rejections("seats")) == unfit


@pytest.mark.parametrize(
    ("kind", "zone", "days"),
    [
        ("DATE", "Europe/Stockholm", {"'2026-03-01'": "2026-03-01", "NULL": None}),
        (
            "TIMESTAMP_TZ",
            "Europe/Stockholm",
            {
                "'2026-03-01 23:30:00 +0000'::timestamp_tz": "2026-03-02",
                "'2026-03-02 01:30:00 +0500'::timestamp_tz": "2026-03-01",
                "'2026-07-01 22:30:00 +0000'::timestamp_tz": "2026-07-02",
            },
        ),
        (
            "TIMESTAMP_NTZ",
            "Europe/Stockholm",
            {"'2026-03-01 23:30:00'::timestamp_ntz": "2026-03-01", "NULL": None},
        ),
        (
            "TIMESTAMP_TZ",
            "America/New_York",
            {"'2026-03-01 02:30:00 +0000'::timestamp_tz": "2026-02-28"},
        ),
        (
            "VARCHAR",
            "Europe/Stockholm",
            {"'2026-03-01T23:30:00Z'": "2026-03-02", "'20260301'": "2026-03-01", "'1 March'": None},
        ),
    ],
)
def test_a_point_belongs_to_the_day_in_the_named_zone(
    place: Place, kind: str, zone: str, days: dict[str, str | None]
) -> None:
    rows = [f"SELECT {key}, '7', {when}, {key}" for key, when in enumerate(days, 1)]
    verdicts = sync(
        place,
        " UNION ALL ".join(rows),
        f"K NUMBER(38,0), A VARCHAR, D {kind}, V FLOAT",
        date={"column": "D", "timezone": zone},
    )
    sent = {float(key): day(when) for key, when in enumerate(days.values(), 1) if when}
    assert verdicts == +Counter(submitted=len(sent), refused=len(days) - len(sent))
    assert {point[4]: point[3] for point in place.points()} == sent


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
