from __future__ import annotations

import pytest

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat


def test_every_model_takes_a_record_with_its_required_fields_under_its_own_stamps(planhat: Planhat):
    company = planhat.company()
    deal = planhat.good("deals", {"companyId": company, "name": "D"})["upsertedIds"][0]
    values = {
        "text": "x", "number": 1, "integer": 1, "boolean": True, "date": "2026-01-01",
        "day": "2026-01-01", "day_number": 20000, "array": [], "object": {},
    }  # fmt: skip
    for model in MODELS.values():
        if not model.bulk or model.name == "deal":
            continue
        item = {
            f.name: f.values[0] if f.values else values.get(f.kind, company)
            for f in model.fields.values()
            if f.required
        }
        item |= {group[0]: 1 if group[0] == "value" else company for group in model.one_of}
        item |= {"email": "x@x.test"} if "email" in model.fields else {}
        item |= {"dealId": deal} if "dealId" in item else {}
        created = planhat.good(model.path, item)["upsertedIds"]
        found = planhat.admin("GET", f"records/{model.name}/{created[0]}")
        assert len(found["_id"]) == 24
        assert found[model.created_stamp] == found[model.updated_stamp]
        assert found["__v"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "notes"), ("GET", "churns"), ("GET", "activities"), ("GET", "metrics"), ("POST", "companies/bulk"),
        ("GET", "companies/lean"), ("POST", "tickets"), ("PUT", "customfields"), ("GET", "companies/ext-c-1"),
        ("GET", "companies/src-c-1"), ("POST", "dimensiondata"), ("GET", "tickets/extid-1"),
    ],
)  # fmt: skip
def test_what_planhat_does_not_serve_is_404(planhat: Planhat, method: str, path: str):
    planhat.company("c-1")
    assert planhat.call(method, path, {} if method != "GET" else None).status_code == 404


def test_a_company_is_named_by_id_by_extid_or_by_srcid(planhat: Planhat):
    company = planhat.company("c 1/å", sourceId="s-1")
    for key, reference in {"a": company, "b": "extid-c 1/å", "c": "srcid-s-1"}.items():
        planhat.good("assets", {"externalId": key, "name": "A", "companyId": reference})
        found = planhat.get(f"assets/extid-{key}")
        assert (found["companyId"], found["companyName"]) == (company, "Name of c 1/å")
    assert planhat.get("companies/extid-c%201%2F%C3%A5")["_id"] == company
    for wrong in ("ext-c-1", "src-s-1", "extid-nobody", "f" * 24, 7):
        answer = planhat.put("assets", [{"externalId": "z", "name": "A", "companyId": wrong}])
        assert answer.json()["createdErrors"] == ["invalid companyId"]


def test_external_ids_are_unique_per_company_and_global_for_companies(planhat: Planhat):
    one, two = planhat.company("c-1"), planhat.company("c-2")
    asset = {"externalId": "a", "name": "A"}
    assert planhat.good("assets", asset | {"companyId": one}, asset | {"companyId": two})["created"] == 2
    assert planhat.good("assets", asset | {"companyId": two, "name": "B"})["updated"] == 1
    assert planhat.put("assets", [asset]).json()["createdErrors"] == ["externalId duplicated"]


def test_source_ids_are_unique_per_model(planhat: Planhat):
    first, second = planhat.good("companies", {"name": "A", "sourceId": "s"}, {"name": "B"})["upsertedIds"]
    assert planhat.put("companies", [{"_id": second, "sourceId": "s"}]).json()["updatedErrors"] == [
        "sourceId duplicated"
    ]
    assert planhat.good("products", {"name": "P", "sourceId": "s"})["created"] == 1
    assert first != second


def test_an_enduser_matches_by_email_and_several_of_one_address_are_legal(planhat: Planhat):
    one, two = planhat.company("c-1"), planhat.company("c-2")
    person = {"email": "a@x.test", "externalId": "p"}
    assert planhat.good("endusers", person | {"companyId": one}, person | {"companyId": two})["created"] == 2
    body = planhat.good(
        "endusers", {"email": "a@x.test", "companyId": two, "firstName": "Åsa", "lastName": "Ek"}
    )
    assert body["updated"] == 1
    assert planhat.get("endusers", companyId=two)[0]["name"] == "Åsa Ek"


def test_an_enduser_without_a_company_goes_by_mail_domain_or_vanishes(planhat: Planhat):
    company = planhat.company("c-1", domains=["acme.test"])
    body = planhat.good(
        "endusers",
        {"email": "a@acme.test"},
        {"email": "b@nowhere.test"},
        {"email": "c@x.test", "companyId": "extid-no"},
    )
    assert body["created"] == 1
    assert not any(body[key] for key in ("createdErrors", "updatedErrors", "nonupdates", "permissionErrors"))
    assert planhat.get("endusers")[0]["companyId"] == company
    assert planhat.admin("GET", "dropped", kind="enduser")["total"] == 2


def test_a_ticket_without_email_vanishes_and_its_sender_becomes_an_enduser(planhat: Planhat):
    company = planhat.company("c-1")
    body = planhat.good(
        "tickets",
        {"sourceId": "t-1", "title": "no email", "companyId": company},
        {"sourceId": "t-2", "email": "new@x.test", "companyExternalId": "c-1"},
    )
    assert body["created"] == 1
    assert planhat.get("tickets")[0]["companyId"] == company
    assert [person["email"] for person in planhat.get("endusers")] == ["new@x.test"]
    assert planhat.put("tickets", [{"sourceId": "t-3", "email": "x@y.test"}]).json()["createdErrors"]


def test_conversation_types_fall_back_to_note_and_the_built_in_ones_are_reserved(planhat: Planhat):
    company = planhat.company()
    planhat.good("conversations", {"externalId": "a", "companyId": company, "type": "seance"})
    assert planhat.get("conversations/extid-a")["type"] == "note"
    answer = planhat.put("conversations", [{"externalId": "b", "companyId": company, "type": "email"}])
    assert answer.json()["createdErrors"] == ["type email is reserved"]
    assert len(planhat.get("conversations", type="note")) == 1


def test_defaults_are_planhats(planhat: Planhat):
    company = planhat.company()
    names = {"email": "u@x.test", "nickName": "U", "firstName": "U", "lastName": "V"}
    planhat.good("users", {"externalId": "u", **names})
    user = planhat.get("users/extid-u")
    assert (user["inactive"], user["notificationsEnabled"]) == (True, True)
    planhat.good("opportunities", {"externalId": "o", "companyId": company})
    assert planhat.get("opportunities/extid-o")["contractLength"] == 12


def test_invoice_dates_are_whole_days_and_its_company_is_cid(planhat: Planhat):
    planhat.company("c-1")
    invoice = {"sourceId": "i", "currency": "SEK", "cId": "extid-c-1", "invoiceDate": 19097}
    planhat.good("invoices", invoice)
    found = planhat.get("invoices/srcid-i")
    assert (found["invoiceDate"], found["cName"]) == (19097, "Name of c-1")
    answer = planhat.put("invoices", [invoice | {"invoiceDate": "2022-04-15"}])
    assert answer.json()["updatedErrors"] == ["invalid invoiceDate"]


def test_an_nps_answer_is_read_back_under_other_names(planhat: Planhat):
    planhat.company("c-1")
    planhat.good(
        "nps", {"sourceId": "n", "email": "a@x.test", "score": 9, "comment": "fine", "cId": "extid-c-1"}
    )
    found = planhat.get("nps/srcid-n")
    assert (found["nps"], found["npsComment"]) == (9, "fine")
    answer = planhat.put("nps", [{"sourceId": "m", "email": "a@x.test", "score": 11, "cId": "extid-c-1"}])
    assert answer.json()["createdErrors"] == ["invalid score"]


def test_an_issue_names_several_companies_and_is_found_by_each(planhat: Planhat):
    one, two = planhat.company("c-1"), planhat.company("c-2")
    planhat.good("issues", {"sourceId": "i", "title": "Bug", "companyIds": ["extid-c-1", two]})
    assert planhat.get("issues/srcid-i")["companyIds"] == [one, two]
    assert len(planhat.get("issues", companyId=two)) == 1


def test_company_revenue_and_status_follow_from_the_licences(planhat: Planhat):
    company = planhat.company("c-1")
    before = planhat.get(f"companies/{company}")["lastUpdated"]
    licence = {"_currency": "SEK", "companyId": company, "fromDate": "2020-01-01", "mrr": 100}
    planhat.good(
        "licenses", {"externalId": "l", **licence}, {"externalId": "m", **licence, "toDate": "2021-01-01"}
    )
    found = planhat.get(f"companies/{company}")
    assert (found["mrr"], found["arr"], found["status"]) == (100, 1200, "customer")
    assert found["lastUpdated"] > before
    assert planhat.put("licenses", [{**licence, "mrr": None}]).json()["createdErrors"] == [
        "value is required"
    ]


def test_a_renamed_company_is_renamed_in_its_records(planhat: Planhat):
    company = planhat.company("c-1")
    planhat.good("assets", {"externalId": "a", "name": "A", "companyId": company})
    planhat.good("companies", {"_id": company, "name": "Renamed"})
    assert planhat.get("assets/extid-a")["companyName"] == "Renamed"


def test_single_calls_create_update_read_and_delete(planhat: Planhat):
    created = planhat.call("POST", "companies", {"name": "A", "externalId": "a"})
    assert created.status_code == 200
    id = created.json()["_id"]
    again = planhat.call("POST", "companies", {"name": "A", "externalId": "a"})
    assert (again.status_code, again.text) == (400, "externalId duplicated")
    assert planhat.call("POST", "companies", {"externalId": "b"}).text == "name is required"
    assert planhat.put("companies/extid-a", {"phase": "Live"}).json()["phase"] == "Live"
    assert planhat.put(f"companies/{id}", {"_id": id, "phase": "x"}).status_code == 400
    assert planhat.put("companies/extid-nobody", {"phase": "x"}).status_code == 404
    assert planhat.call("DELETE", "companies/extid-a").json()["deletedCount"] == 0
    assert planhat.call("DELETE", f"companies/{id}").json() == {"n": 1, "ok": 1, "deletedCount": 1}
    assert planhat.call("GET", f"companies/{id}").status_code == 404
    planhat.switch(delete_missing="404")
    assert planhat.call("DELETE", f"companies/{id}").status_code == 404


def test_time_entries_can_be_duplicated(planhat: Planhat):
    ids = planhat.good("timeentries", {"date": "2026-01-02", "hours": 2, "billableRate": 10})["upsertedIds"]
    copies = planhat.call("POST", "timeentries/duplicate", {"ids": ids}).json()
    assert copies[0]["totalBilled"] == 20
    assert copies[0]["_id"] != ids[0]
    assert len(planhat.get("timeentries")) == 2
