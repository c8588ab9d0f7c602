"""Which record a row is about: every kind of id, every model with metrics, and rows whose record comes later."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines_tests.e2e.place import Place, day
from planhat_pipelines_tests.e2e.test_kills import endusers


def by(place: Place, model: str, kind: str) -> Any:
    metrics = place.facts()["metrics"] | {"target": {"model": model, "column": "ACCOUNT_ID", "id": kind}}
    return place.spec(metrics=metrics)


@pytest.mark.parametrize("kind", ["external", "source", "planhat"])
def test_companies_are_found_by_each_kind_of_id(place: Place, kind: str) -> None:
    (own,) = place.put("companies", {"name": "One", "externalId": "e-1", "sourceId": "s-1"})
    key = {"external": "e-1", "source": "s-1", "planhat": own}[kind]
    place.seats([(1, key, "2026-01-01", 5), (2, f"no-{key}", "2026-01-01", 6)])
    report = place.run(by(place, "company", kind))
    assert report.verdicts == Counter(submitted=1, parked=1)
    assert place.points() == Counter({("seats", "Company", "e-1", day("2026-01-01"), 5.0): 1})


@pytest.mark.parametrize(
    ("model", "path"), [("enduser", "endusers"), ("asset", "assets"), ("project", "projects")]
)
def test_metrics_of_other_models_reach_their_records(place: Place, model: str, path: str) -> None:
    (company,) = place.companies("c-1")
    place.put(path, {"name": "It", "externalId": "x-1", "companyId": company, "email": "x@example.com"})
    place.seats([(1, "x-1", "2026-01-01", 5), (2, "c-1", "2026-01-01", 6)])
    report = place.run(by(place, model, "external"))
    assert report.verdicts == Counter(submitted=1, parked=1)
    (point,) = place.points()
    assert point[2] == "x-1"
    assert point[1].lower() == model


def test_an_id_that_two_records_share_is_refused_and_not_guessed(place: Place) -> None:
    one, two = place.companies("c-1", "c-2")
    place.put("assets", *({"name": "A", "externalId": "a-1", "companyId": company} for company in (one, two)))
    place.seats([(1, "a-1", "2026-01-01", 5)])
    report = place.run(by(place, "asset", "external"))
    assert report.verdicts == Counter(refused=1)
    assert "more than one asset" in report.sample[0].reason
    assert place.points() == Counter()


def test_a_record_without_external_id_is_refused_as_planhat_could_not_be_told_of_it(place: Place) -> None:
    place.put("companies", {"name": "One", "sourceId": "s-1"})
    place.seats([(1, "s-1", "2026-01-01", 5)])
    report = place.run(by(place, "company", "source"))
    assert report.verdicts == Counter(refused=1)
    assert "no external id" in report.sample[0].reason


def test_a_row_for_an_unknown_company_waits_and_goes_when_the_company_appears(place: Place) -> None:
    place.companies("c-1")
    place.seats([(1, "new", "2026-01-01", 5), (2, "c-1", "2026-01-01", 6), (3, "new", "2026-01-01", 5)])
    assert place.run().verdicts == Counter(parked=2, submitted=1)
    assert place.run().rows_read == 0
    assert [row.tries for row in place.ledger.parked("seats")] == [1, 1]
    place.companies("new")
    report = place.run()
    assert report.verdicts == Counter(submitted=2)
    assert place.points()["seats", "Company", "new", day("2026-01-01"), 5.0] == 2
    assert place.ledger.parked("seats") == []
    assert place.run().requests == 0


def test_a_parked_row_that_is_deleted_meanwhile_is_shown_as_such(place: Place) -> None:
    place.companies("c-1")
    place.seats([(1, "new", "2026-01-01", 5), (2, "new", "2026-01-02", 6)])
    place.run()
    place.sql("DELETE FROM {table} WHERE ROW_ID = 1")
    place.companies("new")
    assert place.run().verdicts == Counter(submitted=1, refused=1)
    assert [(row.row, row.stage) for row in place.ledger.rejections("seats")] == [("1", "read")]
    assert place.ledger.parked("seats") == []


def test_no_e_mail_address_ever_stands_in_ledger_report_or_log(place: Place) -> None:
    company = endusers(place, "u-1", "u-2")
    place.put(
        "endusers",
        {"externalId": "u-3", "email": "known@example.org", "companyId": company},
    )
    place.seats(
        [
            (1, "known@example.org", "2026-01-01", 1),
            (2, "later@example.org", "2026-01-01", 2),
            (3, "wrong@example.org", None, 3),
            (4, "later@example.org", "2026-01-02", 4),
        ]
    )
    spec = place.activities_spec(enduser={"column": "ACCOUNT_ID", "id": "email"})
    report = place.run(spec)
    assert report.verdicts == Counter(submitted=1, parked=2, refused=1)
    assert place.run(spec).rows_read == 0
    parked = place.ledger.parked("seats")
    assert len({row.target for row in parked}) == 1
    assert parked[0].target.startswith("email#")
    assert place.ledger.rejections("seats")[0].key == hidden("wrong@example.org")
    assert report.sample[0].key == "w…@example.org"
    assert not any("@example.org" in word for word in [repr(report), *place.log])
    for file in place.ledger_file.parent.glob("ledger.db*"):
        assert b"@example" not in file.read_bytes()
    place.put("endusers", {"email": "later@example.org", "companyId": company})
    assert place.run(spec).verdicts == Counter(submitted=2)
    assert sum(place.activities().values()) == 3
    for file in place.ledger_file.parent.glob("ledger.db*"):
        assert b"@example" not in file.read_bytes()


def test_an_enduser_by_whom_planhat_could_not_be_told_is_refused_and_not_dropped_in_silence(
    place: Place,
) -> None:
    (company,) = place.companies("c-1")
    place.put("endusers", {"sourceId": "s-1", "name": "Only a name", "companyId": company})
    place.seats([(1, "s-1", "2026-01-01", 1)])
    report = place.run(place.activities_spec(enduser={"column": "ACCOUNT_ID", "id": "source"}))
    assert report.verdicts == Counter(refused=1)
    assert "no external id and no e-mail address" in report.sample[0].reason
    assert place.nothing_was_dropped()
