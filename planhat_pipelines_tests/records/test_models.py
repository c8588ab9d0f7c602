"""Every model that takes bulk upserts, with its oddities, from a table to a record and back to "unchanged"."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines_tests.records.crm import Crm, of

BULK = [model for model in MODELS.values() if model.bulk]
VALUES: dict[str, Any] = {
    "text": "word",
    "number": 12.5,
    "integer": 3,
    "boolean": True,
    "date": "2026-03-01T08:30:00Z",
    "day": "2026-03-01",
    "day_number": "2022-04-15",
    "array": '["one"]',
    "object": '{"a": 1}',
}
ODD: dict[tuple[str, str], Any] = {
    ("user", "email"): "u@x.io",
    ("enduser", "email"): "u@x.io",
    ("ticket", "email"): "u@x.io",
    ("nps", "email"): "u@x.io",
    ("company", "domains"): '["x.io"]',
    ("conversation", "type"): "meeting",
    ("enduser", "name"): None,  # made of the first and the last name
    ("task", "dateDone"): None,  # a done task is archived
}
LEFT_OUT = {"_id", "__v", "custom", "companyExternalId", "teams", "managers", "roles"}


@pytest.mark.matrix
@pytest.mark.parametrize("model", BULK, ids=lambda model: model.name)
def test_every_field_of_the_model_arrives_in_its_own_form(crm: Crm, model: Any) -> None:
    (company,) = crm.place.companies("c-1")
    crm.place.put("deals", {"externalId": "d-1", "companyId": company, "name": "Deal"})
    key = next((each for each in ("externalId", "sourceId", "email") if each in model.keys), "_id")
    row: dict[str, Any] = {}
    for name, field in model.fields.items():
        if field.read_only or name in (key, model.company_field, *LEFT_OUT) or field.kind == "id":
            continue
        if (model.name, name) == ("note", "type"):
            continue
        value = field.values[0] if field.values else VALUES[field.kind]
        row[name] = ODD.get((model.name, name), value)
    if model.name == "line_item":
        row["dealId"] = "extid-d-1"
    fields = [{"value": value, "field": name} for name, value in row.items() if value is not None]
    row_key = known_id(crm, model, key)
    crm.table_of("ID VARCHAR, ACC VARCHAR", (row_key, "c-1"))
    facts: dict[str, Any] = {"model": model.name, "key": {"column": "ID", "field": key}, "fields": fields}
    if model.company_field:
        facts["company"] = {"column": "ACC"}
    spec = crm.spec(**facts)
    first = of(crm.run(spec))
    assert first == ({"updated": 1} if key == "_id" else {"created": 1}), crm.ledger.rejections("accounts")
    held = crm.held(model.name, key)[row_key]
    for name, value in row.items():
        if value is not None and name != "dealId":
            assert held[name] == expected(model.fields[name].kind, value), name
    if model.company_field:
        wanted = [company] if model.company_field == "companyIds" else company
        assert held[model.company_field] == wanted
    assert of(crm.run(spec, full=True)) == {"unchanged": 1}
    assert crm.place.nothing_was_dropped()


def known_id(crm: Crm, model: Any, key: str) -> str:
    """A key of a new record; of models known by `_id` alone, that of one that is there."""
    if key != "_id":
        return "u@x.io" if key == "email" else "k-1"
    needed = {"date": "2026-01-01", "hours": 1, "status": "submitted"}
    body = {name: value for name, value in needed.items() if name in model.fields}
    return crm.place.put(model.path, body)[0]


def expected(kind: str, value: Any) -> Any:
    """How Planhat keeps it."""
    forms: dict[str, Any] = {
        "date": "2026-03-01T08:30:00.000Z",
        "day": "2026-03-01",
        "day_number": 19097,
        "array": ["x.io"] if "x.io" in str(value) else ["one"],
        "object": {"a": 1},
    }
    return forms.get(kind, value)


def test_a_user_is_inactive_unless_the_mapping_says_otherwise(crm: Crm) -> None:
    crm.table_of("ID VARCHAR, MAIL VARCHAR", ("1", "a@x.io"))
    names = [{"value": "N", "field": name} for name in ("nickName", "firstName", "lastName")]
    fields = [{"column": "MAIL", "field": "email"}, *names]
    assert of(crm.run(crm.spec(model="user", fields=fields))) == {"created": 1}
    assert crm.held("user")["1"]["inactive"] is True
    active = [*fields, {"value": False, "field": "inactive"}]
    assert of(crm.run(crm.spec(model="user", fields=active))) == {"updated": 1}
    assert crm.held("user")["1"]["inactive"] is False


def test_an_issue_may_have_no_company(crm: Crm) -> None:
    crm.table_of("ID VARCHAR, ACC VARCHAR, NAME VARCHAR", ("1", None, "One"), ("2", "", "Two"))
    spec = crm.spec(
        model="issue",
        key={"column": "ID", "field": "sourceId"},
        company={"column": "ACC"},
        fields=[{"column": "NAME", "field": "title"}],
    )
    assert of(crm.run(spec)) == {"created": 2}
    assert [each["companyIds"] for each in crm.held("issue", "sourceId").values()] == [[], []]
