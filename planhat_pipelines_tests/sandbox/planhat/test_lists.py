from __future__ import annotations

from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat


def _many(planhat: Planhat, count: int) -> None:
    planhat.good(
        "companies", *({"externalId": f"c-{i:04}", "name": f"N {i % 7}", "tags": ["t"]} for i in range(count))
    )


def test_pages_have_the_models_default_and_are_clamped_to_its_maximum(planhat: Planhat):
    company = planhat.company()
    planhat.good("churn", *({"companyId": company, "sourceId": str(i)} for i in range(1200)))
    assert len(planhat.get("churn")) == 100
    assert len(planhat.get("churn", limit=5000)) == 1000
    assert len(planhat.get("churn", limit=1000, offset=1000)) == 200
    assert len(planhat.get("churn", limit="many", offset="-3")) == 100


def test_paging_meets_every_record_once(planhat: Planhat):
    _many(planhat, 250)
    pages = [planhat.get("companies", limit=100, offset=offset, sort="-_id") for offset in (0, 100, 200, 300)]
    found = [company["_id"] for page in pages for company in page]
    assert len(found) == len(set(found)) == 250
    assert found == sorted(found, reverse=True)


def test_sort_is_by_a_case_sensitive_name_with_a_minus_for_descending(planhat: Planhat):
    _many(planhat, 20)
    names = [company["name"] for company in planhat.get("companies", sort="-name")]
    assert names == sorted(names, reverse=True)
    keys = [company["externalId"] for company in planhat.get("companies", sort="externalid")]
    assert keys == sorted(keys)  # no such field: the natural order
    planhat.good("companies", {"externalId": "c-0003", "phase": "moved"})
    assert planhat.get("companies", sort="-lastUpdated", limit=1)[0]["externalId"] == "c-0003"


def test_select_names_the_fields_and_always_gives_the_id(planhat: Planhat):
    _many(planhat, 1)
    assert set(planhat.get("companies", select="name,externalId")[0]) == {"_id", "name", "externalId"}


def test_company_ids_filter_by_a_comma_list(planhat: Planhat):
    one, two, three = (planhat.company(f"c-{i}") for i in range(3))
    planhat.good("assets", *({"name": "A", "companyId": id} for id in (one, two, three)))
    assert {asset["companyId"] for asset in planhat.get("assets", companyId=f"{one},{three}")} == {one, three}


def test_unknown_filters_are_ignored(planhat: Planhat):
    _many(planhat, 5)
    for query in ({"externalId": "c-0001"}, {"name": "N 1"}, {"updatedAfter": "2099-01-01"}, {"skip": 3}):
        assert len(planhat.get("companies", **query)) == 5


def test_the_filters_that_work_are_email_parent_and_type(planhat: Planhat):
    company = planhat.company()
    planhat.good("endusers", *({"email": f"{n}@x.test", "companyId": company} for n in "ab"))
    assert [person["email"] for person in planhat.get("endusers", email="b@x.test")] == ["b@x.test"]
    for parent in ("Company", "EndUser"):
        planhat.call(
            "POST", "customfields", {"name": "F", "parent": parent, "type": "text", "isHidden": False}
        )
    assert len(planhat.get("customfields", parent="enduser")) == 1


def test_lean_companies_have_five_fields_and_three_filters(planhat: Planhat):
    planhat.company("a", sourceId="s", phase="Live")
    planhat.company("b")
    assert set(planhat.get("leancompanies", externalId="a")[0]) == {
        "_id",
        "name",
        "externalId",
        "sourceId",
        "slug",
    }
    assert len(planhat.get("leancompanies", sourceId="s")) == 1
    assert len(planhat.get("leancompanies", status="prospect,customer")) == 2
    assert planhat.get("leancompanies", status="lost") == []


def test_archived_endusers_are_hidden_from_the_list_alone(planhat: Planhat):
    company = planhat.company()
    ids = planhat.good(
        "endusers", *({"email": f"{n}@x.test", "companyId": company, "archived": n == "a"} for n in "ab")
    )["upsertedIds"]
    assert [person["_id"] for person in planhat.get("endusers")] == ids[1:]
    assert planhat.get(f"endusers/{ids[0]}")["archived"] is True


def test_odd_and_thin_reads_can_be_had(planhat: Planhat):
    planhat.company("c", tags=["a", "b"], owner="a" * 24)
    planhat.switch(read_quirks=True)
    odd = planhat.get("companies")[0]
    assert odd["tags"] == ",a,b,"
    assert odd["owner"]["_id"] == "a" * 24
    names = {"email": "u@x.test", "nickName": "U", "firstName": "U", "lastName": "V"}
    planhat.good("users", {**names, "roles": ["b" * 24]})
    assert [role["_id"] for role in planhat.get("users")[0]["roles"]] == ["b" * 24]
    planhat.switch(read_quirks=False, thin_lists=True)
    assert set(planhat.get("companies")[0]) == {"_id", "name"}


def test_sort_can_be_ignored(planhat: Planhat):
    _many(planhat, 5)
    for order, expected in (("oldest_first", [0, 1, 2, 3, 4]), ("newest_first", [4, 3, 2, 1, 0])):
        planhat.switch(list_order=order)
        for sort in ("-lastUpdated", "lastUpdated", "_id"):
            found = planhat.get("companies", sort=sort, select="externalId")
            assert [int(company["externalId"][2:]) for company in found] == expected


def test_records_of_one_stamp_can_come_in_another_order_each_time(planhat: Planhat):
    _many(planhat, 50)
    planhat.company("last")

    def orders() -> set[tuple[str, ...]]:
        lists = (planhat.get("companies", sort="-lastUpdated") for _ in range(3))
        return {tuple(company["externalId"] for company in found) for found in lists}

    assert len(orders()) == 1
    planhat.switch(equal_stamps="shuffled")
    shuffled = orders()
    assert len(shuffled) == 3
    assert {order[0] for order in shuffled} == {"last"}


def test_update_stamps_can_have_another_name_or_be_missing(planhat: Planhat):
    _many(planhat, 40)
    planhat.good("companies", {"externalId": "c-0003", "phase": "moved"})
    last = planhat.get("companies", sort="-lastUpdated", limit=1)[0]
    planhat.switch(update_stamps="updatedAt")
    found = planhat.get("companies", sort="-updatedAt", select="updatedAt,lastUpdated,externalId")
    assert found[0] == {"_id": last["_id"], "externalId": "c-0003", "updatedAt": last["lastUpdated"]}
    assert planhat.get("companies", sort="-lastUpdated", limit=1)[0]["externalId"] == "c-0039"
    planhat.switch(update_stamps="none")
    assert not any("lastUpdated" in company for company in planhat.get("companies"))
    planhat.switch(update_stamps="some")
    stamps = ["lastUpdated" in company for company in planhat.get("companies", sort="-lastUpdated")]
    assert stamps == sorted(stamps, reverse=True)
    assert set(stamps) == {True, False}
