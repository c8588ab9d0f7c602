"""Records of every kind travel both ways: end users, licences, opportunities, invoices; known by each kind of key."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from planhat_pipelines_tests.twoway.pair import Pair, make_small, quiet

SHOWN = {
    **dict.fromkeys(("ARRAY", "VARIANT", "OBJECT"), "TO_JSON({})"),
    **dict.fromkeys(("TIMESTAMP_NTZ", "TIMESTAMP_TZ"), "TO_VARCHAR({}::DATE)"),
}


class Case(NamedTuple):
    """A model, its key, its columns with their types and fields, two rows, what a person changes in the first record,
    and what the columns hold then."""

    model: str
    key: str
    columns: dict[str, tuple[str, str]]
    rows: tuple[tuple[Any, ...], tuple[Any, ...]]
    edit: dict[str, Any]
    then: tuple[Any, ...]


PEOPLE = {"FIRST": ("VARCHAR", "firstName"), "LAST": ("VARCHAR", "lastName"), "TAGS": ("ARRAY", "tags")}
BOB, EVE = ("Bob", "B", None), ("Eve", None, None)
CASES = [
    Case(
        "enduser",
        "sourceId",
        PEOPLE,
        (BOB, EVE),
        {"tags": ["x"], "firstName": "Bo", "lastName": None},
        ("Bo", None, '["x"]'),
    ),
    Case(
        "enduser",
        "externalId",
        {"P": ("VARIANT", "sharedNotificationsPrefs"), "O": ("OBJECT", "custom.Text")},
        ((None, None), (None, None)),
        {"sharedNotificationsPrefs": {"b": [1, 2.5], "a": None}, "custom": {"Text": '{"z": {"y": 1}}'}},
        ('{"a":null,"b":[1,2.5]}', '{"z":{"y":1}}'),
    ),
    Case(
        "license",
        "externalId",
        {
            "VALUE": ("NUMBER(12,2)", "value"),
            "CURRENCY": ("VARCHAR(3)", "_currency"),
            "START": ("DATE", "fromDate"),
            "RENEWS": ("BOOLEAN", "autoRenews"),
        },
        ((10.5, "EUR", "2026-01-01", True), (1, "SEK", "2026-02-01", False)),
        {"value": 12.25, "_currency": "USD", "autoRenews": False},
        ("12.25", "USD", "2026-01-01", "false"),
    ),
    Case(
        "license",
        "sourceId",
        {
            "MRR": ("FLOAT", "mrr"),
            "CURRENCY": ("VARCHAR(3)", "_currency"),
            "START": ("TIMESTAMP_NTZ", "fromDate"),
        },
        ((10.5, "EUR", "2026-01-01"), (1, "SEK", "2026-02-01")),
        {"fromDate": "2026-03-04T00:00:00.000Z"},
        ("10.5", "EUR", "2026-03-04"),
    ),
    Case(
        "opportunity",
        "externalId",
        {
            "TITLE": ("VARCHAR", "title"),
            "CLOSE": ("TIMESTAMP_TZ", "closeDate"),
            "STATUS": ("VARCHAR", "status"),
        },
        (("Big", "2026-01-01", "active"), ("Small", None, "lost")),
        {"status": "won", "title": "Bigger"},
        ("Bigger", "2026-01-01", "won"),
    ),
    Case(
        "invoice",
        "sourceId",
        {
            "CURRENCY": ("VARCHAR", "currency"),
            "DAY": ("DATE", "invoiceDate"),
            "DUE": ("NUMBER(38,0)", "dueDate"),
            "PAID": ("VARCHAR", "paidDate"),
        },
        (("EUR", "2026-01-01", 20500, "2026-02-01"), ("SEK", "1969-12-31", -1, None)),
        {"invoiceDate": 20514, "dueDate": 0, "paidDate": 20001},
        ("EUR", "2026-03-02", "0", "2024-10-05"),
    ),
    Case(
        "company",
        "_id",
        {"NAME": ("VARCHAR", "name"), "CITY": ("VARCHAR", "city")},
        (("A", "Lund"), ("B", None)),
        {"city": "Ystad"},
        ("A", "Ystad"),
    ),
    Case(
        "company",
        "sourceId",
        {"NAME": ("VARCHAR", "name"), "X": ("NUMBER(10,2)", "custom.Number")},
        (("A", 1.5), ("B", None)),
        {"custom": {"Number": 2}},
        ("A", "2.00"),
    ),
]


def ready(pair: Pair, case: Case) -> tuple[list[str], dict[str, Any]]:
    """The table of the case; the keys of its two rows, and what a user writes for it."""
    if case.model != "company" or case.key == "_id":
        pair.place.companies("c-1", "c-2")
    parent = "EndUser" if case.model == "enduser" else "Company"
    pair.custom("Text", "text", parent)
    pair.custom("Number", "number", parent)
    keys = [each["_id"] for each in pair.held().values()] if case.key == "_id" else ["1", "2"]
    owned = case.model != "company"
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in case.columns.items())
    pair.table_of(
        f"ID VARCHAR, ACC VARCHAR, {columns}",
        *((key, "c-1" if owned else None, *row) for key, row in zip(keys, case.rows, strict=True)),
    )
    facts = pair.facts(
        model=case.model,
        key={"column": "ID", "field": case.key},
        fields=[{"column": name, "field": field} for name, (_, field) in case.columns.items()],
        **({"company": {"column": "ACC"}} if owned else {}),
    )
    return keys, facts


def settled(pair: Pair, spec: Any, *, full: bool = True) -> None:
    """Nothing is left to do: not after what changed, or with `full` not after a look at both sides as a whole."""
    pair.sent()
    commit = pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')")
    report = pair.run(spec, full=full)
    assert (quiet(report), report.conflicts, pair.sent()) == (True, [], 0)
    assert pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')") == commit


@pytest.mark.matrix
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}-{case.key}-{len(case.columns)}")
def test_records_travel_both_ways(pair: Pair, case: Case) -> None:
    (first, second), facts = ready(pair, case)
    spec = pair.spec(**facts)
    report = pair.run(spec)
    assert report.sent.verdicts["created"] == (0 if case.key == "_id" else 2), report.sent.sample
    settled(pair, spec, full=False)
    path = spec.planhat_model.path
    record = pair.held(case.model, case.key)[first]
    pair.call("PUT", f"{path}/{record['_id']}", case.edit)
    name = next(iter(case.columns))
    pair.sql(
        f"UPDATE {{table}} SET {name} = (SELECT {name} FROM {{table}} WHERE ID = '{first}') WHERE ID = '{second}'"
    )
    report = pair.run(spec)
    assert (report.conflicts, report.back.sample) == ([], [])
    shown = [SHOWN.get(kind, "TO_VARCHAR({})").format(name) for name, (kind, _) in case.columns.items()]
    assert pair.rows(", ".join(shown))[first] == case.then
    settled(pair, spec)


def endusers(pair: Pair) -> Any:
    pair.place.companies("c-1", "c-2", "c-3")
    pair.table_of(
        "ID VARCHAR, ACC VARCHAR, NAME VARCHAR",
        ("1", "c-1", "One"),
        ("2", "c-2", "Two"),
        ("3", "c-2", "Three"),
    )
    return pair.spec(
        model="enduser",
        key={"column": "ID", "field": "externalId"},
        company={"column": "ACC"},
        fields=[{"column": "NAME", "field": "lastName"}],
    )


def by_company(pair: Pair) -> dict[tuple[str, str], dict[str, Any]]:
    names = {each["_id"]: key for key, each in pair.held().items()}
    found = pair.place.planhat.admin("GET", "records/enduser", limit=100)["records"]
    return {(names[each["companyId"]], each["externalId"]): each for each in found}


def test_end_users_of_two_companies_may_share_an_external_id(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row means the one of its own company, also when only the other one has changed."""
    make_small(monkeypatch.setattr)
    pair.overlap = 0.0
    spec = endusers(pair)
    pair.place.put("endusers", {"externalId": "1", "companyId": "extid-c-2", "lastName": "Another"})
    pair.run(spec)
    pair.run(spec)
    pair.place.put("endusers", {"externalId": "1", "companyId": "extid-c-2", "lastName": "Other"})
    report = pair.run(spec)
    assert (report.conflicts, pair.ledger.rejections("accounts")) == ([], [])
    assert pair.rows("NAME")["1"] == ("One",)
    pair.place.put("endusers", {"externalId": "1", "companyId": "extid-c-1", "lastName": "Mine"})
    pair.run(spec)
    assert pair.rows("NAME")["1"] == ("Mine",)
    pair.sql("UPDATE {table} SET NAME = 'Ours' WHERE ID = '1'")
    pair.run(spec)
    held = by_company(pair)
    assert (held["c-1", "1"]["lastName"], held["c-2", "1"]["lastName"]) == ("Ours", "Other")
    settled(pair, spec)


def test_a_row_that_changes_its_company_is_made_whole_in_the_new_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch.setattr)
    pair.overlap = 0.0
    spec = endusers(pair)
    pair.run(spec)
    pair.run(spec)
    pair.sql("UPDATE {table} SET ACC = 'c-3' WHERE ID = '1'")
    pair.run(spec)
    assert by_company(pair)["c-3", "1"]["lastName"] == "One"
    for _ in range(2):
        pair.run(spec)
    assert pair.rows("NAME")["1"] == ("One",)
    settled(pair, spec)


def test_records_that_become_rows_bring_their_company(pair: Pair) -> None:
    spec = endusers(pair).model_copy(update={"insert_new": True})
    pair.run(spec)
    pair.place.put("endusers", {"externalId": "9", "companyId": "extid-c-3", "lastName": "Nine"})
    pair.run(spec)
    assert pair.rows("ACC, NAME")["9"] == ("c-3", "Nine")
    settled(pair, spec)
