"""What changed in Planhat, read from the local Planhat over a socket; from a scripted one where that cannot err so."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest
import requests

from planhat_pipelines.planhat import errors
from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.catalogue import MODELS, Model, model
from planhat_pipelines.planhat.changes import Changes, changes, has_changed, single
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.reading import CUSTOM_KINDS
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.sandbox.planhat import PlanhatServer
from planhat_pipelines_tests.planhat.conftest import TENANT, TOKEN, Far

COMPANY, ENDUSER = model("company"), model("enduser")
CHURN = model("churn")  # has the smallest pages, 1000
LONG_AGO = "2020-01-01T00:00:00.000Z"
Item = dict[str, Any]


class Meanwhile:
    """A budget, for which the client asks before each call: others may do something in between."""

    def __init__(self, **steps: Callable[[], object]) -> None:
        self.steps = {int(name.removeprefix("before_call_")): step for name, step in steps.items()}
        self.calls = 0

    @contextmanager
    def call(self) -> Generator[None]:
        self.calls += 1
        self.steps.get(self.calls, lambda: None)()
        yield

    def throttled(self, wait: float) -> None: ...


class Tenant:
    """The sandbox, and what people do in it."""

    def __init__(self, server: PlanhatServer) -> None:
        self.server, self.admin = server, server.admin
        self._client = self.connect()

    def connect(self, budget: Meanwhile | None = None) -> Planhat:
        server = self.server
        account = Account(server.token, server.tenant, server.api_url, server.analytics_url)
        return Planhat(account, budget=budget, patience=Patience(read=5), sleep=lambda _: None)

    def put(self, kind: Model, *items: Item) -> str:
        """Upsert; gives the stamp that was set."""
        answer = self._client.upsert(kind, json.dumps(items).encode(), len(items))
        assert answer.stored == len(items), answer
        return self.stamp(kind)

    def stamp(self, kind: Model) -> str:
        """The newest update stamp of a model."""
        found = self.admin("GET", f"records/{kind.name}", sort=f"-{kind.updated_stamp}", limit=1)
        return found["records"][0][kind.updated_stamp]

    def churns(self, first: int, last: int, value: int = 0) -> str:
        items = ({"companyId": "extid-c", "sourceId": f"{n}", "value": value} for n in range(first, last))
        return self.put(CHURN, *items)

    def held(self, kind: Model) -> dict[str, Item]:
        found = self.admin("GET", f"records/{kind.name}", limit=10_000)["records"]
        return {row["sourceId"]: row for row in found}

    def delete(self, kind: Model, *keys: str) -> None:
        held = self.held(kind)
        for key in keys:
            requests.delete(
                f"{self.server.api_url}/{kind.path}/{held[key]['_id']}",
                headers={"Authorization": f"Bearer {self.server.token}"},
                timeout=10,
            ).raise_for_status()

    def switch(self, **values: Any) -> None:
        self.admin("PUT", "switches", values)

    def sorts(self) -> list[str]:
        """What the lists were asked to be sorted by, in order."""
        log = reversed(self.admin("GET", "log", method="GET"))
        return [part[5:] for entry in log for part in entry["query"].split("&") if part.startswith("sort=")]

    def look(
        self,
        kind: Model,
        since: str | None,
        *,
        overlap: float = 0.0,
        budget: Meanwhile | None = None,
        **options: Any,
    ) -> Changes:
        self.admin("DELETE", "log")
        select = options.pop(
            "select", [key for key in kind.keys if key != "_id"] + ["value"] * (kind is CHURN)
        )
        with self.connect(budget) as client:
            return changes(client, kind, select, since, overlap=overlap, **options)

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanhatServer]:
    with PlanhatServer(tmp_path_factory.mktemp("planhat")) as server:
        yield server


@pytest.fixture
def tenant(server: PlanhatServer) -> Iterator[Tenant]:
    server.admin("POST", "reset")
    tenant = Tenant(server)
    tenant.put(COMPANY, {"externalId": "c", "name": "Acme"})
    yield tenant
    tenant.close()


def keys(found: Changes, name: str = "sourceId") -> set[str]:
    assert found.records["_id"].is_unique().all()
    return set(found.records[name])


def numbers(first: int, last: int) -> set[str]:
    return {str(number) for number in range(first, last)}


# -- what comes


def test_the_first_look_is_at_every_record_and_gives_the_stamp_for_the_next(tenant: Tenant) -> None:
    tenant.churns(0, 1100)
    last = tenant.churns(1100, 1200)
    found = tenant.look(CHURN, None)
    assert (found.whole, found.why) == (True, "the first look")
    assert keys(found) == numbers(0, 1200)
    assert found.records.columns == ["_id", "sourceId", "externalId", "value", "stamp"]
    assert set(found.records.dtypes) == {pl.String}
    assert found.records["stamp"].max() == last
    assert found.stamp is not None
    assert LONG_AGO < found.stamp <= last


def test_the_next_look_is_at_what_changed_since_and_nothing_else(tenant: Tenant) -> None:
    tenant.churns(0, 1500)
    since = tenant.churns(1500, 1503)
    tenant.churns(7, 9, value=1)
    last = tenant.churns(1600, 1601)
    found = tenant.look(CHURN, since)
    assert (found.whole, found.why, found.stamp) == (False, "", last)
    assert keys(found) == {"7", "8", "1500", "1501", "1502", "1600"}
    assert tenant.sorts() == ["-updatedAt", "updatedAt"]


def test_what_lies_in_the_overlap_comes_again(tenant: Tenant) -> None:
    tenant.churns(0, 150)
    last = tenant.churns(150, 152)
    assert keys(tenant.look(CHURN, last)) == {"150", "151"}
    assert keys(tenant.look(CHURN, last, overlap=300)) == numbers(0, 152)


def test_many_changes_come_over_many_pages(tenant: Tenant) -> None:
    since = tenant.churns(0, 100)
    for first in range(100, 2600, 500):
        last = tenant.churns(first, first + 500)
    tenant.churns(0, 50, value=1)
    found = tenant.look(CHURN, since)
    assert (found.whole, found.why) == (False, "")
    assert keys(found) == numbers(0, 2600)  # those of the stamp itself come again
    assert found.stamp is not None
    assert found.stamp > last


def test_a_full_look_comes_when_it_is_asked_for(tenant: Tenant) -> None:
    last = tenant.churns(0, 120)
    found = tenant.look(CHURN, last, full=True)
    assert (found.whole, found.why, found.stamp) == (True, "as asked", last)
    assert keys(found) == numbers(0, 120)


def test_a_small_model_takes_one_call_and_is_whole(tenant: Tenant) -> None:
    tenant.churns(0, 98)
    last = tenant.churns(98, 99)
    found = tenant.look(CHURN, last)
    assert (found.whole, found.stamp) == (True, last)
    assert keys(found) == numbers(0, 99)
    assert tenant.sorts() == ["-updatedAt"]


@pytest.mark.parametrize("since", [None, LONG_AGO])
def test_an_empty_model_is_whole_and_leaves_the_stamp_as_it_was(tenant: Tenant, since: str | None) -> None:
    found = tenant.look(CHURN, since)
    assert (found.records.height, found.stamp, found.whole) == (0, since, True)
    assert found.records.columns == ["_id", "sourceId", "externalId", "value", "stamp"]


@pytest.mark.parametrize("name", ["documented", "updatedAt"])
def test_companies_are_found_by_whichever_of_the_two_stamps_they_carry(tenant: Tenant, name: str) -> None:
    tenant.switch(update_stamps=name)
    tenant.put(COMPANY, *({"externalId": f"c-{n}", "name": f"N {n}"} for n in range(150)))
    since = tenant.put(COMPANY, {"externalId": "c-3", "phase": "x"})
    last = tenant.put(COMPANY, {"externalId": "c-7", "phase": "x"})
    found = tenant.look(COMPANY, since)
    assert (keys(found, "externalId"), found.whole, found.stamp) == ({"c-3", "c-7"}, False, last)
    other = [] if name == "documented" else ["-lastUpdated"]
    assert tenant.sorts() == [
        *other,
        *(("-lastUpdated", "lastUpdated") if not other else ("-updatedAt", "updatedAt")),
    ]


def test_an_archived_end_user_is_missing_from_a_whole_look_alone(tenant: Tenant) -> None:
    people = [{"email": f"{n}@x.test", "sourceId": str(n), "companyId": "extid-c"} for n in range(130)]
    since = tenant.put(ENDUSER, *people)
    tenant.put(ENDUSER, {"sourceId": "3", "archived": True})
    tenant.put(ENDUSER, {"sourceId": "4", "position": "CTO"})
    last = tenant.stamp(ENDUSER)
    assert keys(tenant.look(ENDUSER, last)) == {"4"}
    found = tenant.look(ENDUSER, since, full=True)
    assert (found.whole, keys(found)) == (True, numbers(0, 130) - {"3"})


def test_notes_are_not_mixed_with_other_conversations(tenant: Tenant) -> None:
    talks = [
        {"externalId": str(n), "companyId": "extid-c", "type": "meeting" if n % 2 else "note"}
        for n in range(300)
    ]
    since = tenant.put(model("conversation"), *talks)
    tenant.put(model("conversation"), *({**talks[n], "subject": "x"} for n in (4, 5)))
    assert keys(tenant.look(model("note"), tenant.stamp(model("note"))), "externalId") == {"4"}
    assert keys(tenant.look(model("note"), None), "externalId") == {str(n) for n in range(0, 300, 2)}
    assert keys(tenant.look(model("conversation"), since), "externalId") == numbers(0, 300)


def test_every_model_can_be_looked_at_in_both_ways(tenant: Tenant) -> None:
    company = tenant.admin("GET", "records/company")["records"][0]["_id"]
    tenant.put(model("deal"), {"externalId": "d", "companyId": company, "name": "D"})
    deal = tenant.admin("GET", "records/deal")["records"][0]["_id"]
    values = {
        "text": "x", "number": 1, "integer": 1, "boolean": True, "date": "2026-01-01",
        "day": "2026-01-01", "day_number": 20000, "array": [], "object": {},
    }  # fmt: skip
    for kind in (kind for kind in MODELS.values() if kind.bulk):
        needed = [field for field in kind.fields.values() if field.required]
        item = {f.name: f.values[0] if f.values else values.get(f.kind, company) for f in needed}
        item |= {group[0]: 1 if group[0] == "value" else company for group in kind.one_of}
        item |= {"dealId": deal} if "dealId" in item else {}
        named = {"sourceId", "externalId", "email"} & kind.fields.keys()
        items = [{**item, **dict.fromkeys(named, f"{kind.name}-{n}@x.test")} for n in range(101)]
        tenant.put(kind, *items[1:])
        last = tenant.put(kind, items[0])
        found = tenant.look(kind, last, select=list(kind.fields))
        assert (found.records.height, found.whole, found.stamp) == (1, False, last), kind.name
        found = tenant.look(kind, None, select=list(kind.fields))
        assert (found.records.height >= 101, found.whole) == (True, True), kind.name
        assert found.records["stamp"].null_count() == 0


def test_custom_field_definitions_can_be_looked_at_too(tenant: Tenant) -> None:
    url = f"{tenant.server.api_url}/customfields"
    item = {"name": "F", "parent": "Company", "type": "text", "isHidden": False}
    requests.post(
        url, json=item, headers={"Authorization": f"Bearer {tenant.server.token}"}, timeout=10
    ).raise_for_status()
    found = tenant.look(model("custom_field"), LONG_AGO, select=["name", "isHidden"])
    assert (found.whole, found.records.select("name", "isHidden").rows()) == (True, [("F", "false")])


# -- lists that cannot be trusted


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_server_that_ignores_sort_is_found_out_and_everything_read(tenant: Tenant, order: str) -> None:
    for first in range(0, 1200, 300):
        since = tenant.churns(first, first + 300)
    tenant.switch(list_order=order)
    tenant.churns(
        0, 1, value=1
    )  # the last of all when the newest come first, and those are in order by chance
    found = tenant.look(CHURN, since)
    assert keys(found) == numbers(0, 1200)
    assert "sorted by updatedAt" in found.why
    assert found.records.filter(pl.col("sourceId") == "0")["value"].to_list() == ["1"]
    assert found.whole is (
        order == "oldest_first"
    )  # without any order, a missing record may have slipped through


@pytest.mark.parametrize("stamps", ["none", "some"])
def test_records_without_a_stamp_are_all_read(tenant: Tenant, stamps: str) -> None:
    since = tenant.churns(0, 1100)
    tenant.switch(update_stamps=stamps)
    found = tenant.look(CHURN, since)
    assert (found.whole, found.why) == (True, "sorted by updatedAt, records come without a stamp")
    assert keys(found) == numbers(0, 1100)
    lacking = found.records["stamp"].null_count()
    assert lacking == 1100 if stamps == "none" else 0 < lacking < 1100
    assert found.stamp == since


def test_records_of_one_stamp_are_all_found_though_their_order_differs_from_page_to_page(
    tenant: Tenant,
) -> None:
    since = tenant.churns(0, 10)
    tenant.churns(10, 2400)
    tenant.switch(equal_stamps="shuffled")
    found = tenant.look(CHURN, since)
    assert (found.whole, keys(found)) == (True, numbers(0, 2400))
    assert "faster than it can be read" in found.why


def test_a_sort_that_the_server_cannot_do_is_done_without(tenant: Tenant) -> None:
    last = tenant.churns(0, 120)
    for fault in ({"status": 400, "count": 1}, {"status": 500, "count": 6}):
        tenant.admin("POST", "faults", {"kind": "status", "path": "/churn", **fault})
        found = tenant.look(CHURN, last)
        assert (found.whole, keys(found)) == (True, numbers(0, 120))
        assert f"{fault['status']}" in found.why
    tenant.admin("POST", "faults", {"kind": "not_a_list", "path": "/churn", "count": 6})
    assert tenant.look(CHURN, last).whole


def test_what_no_other_sort_would_mend_is_raised(tenant: Tenant) -> None:
    tenant.admin("POST", "faults", {"kind": "status", "status": 403, "path": "/churn", "count": 1})
    with pytest.raises(errors.PermissionDenied):
        tenant.look(CHURN, LONG_AGO)
    assert len(tenant.sorts()) == 1


def test_a_429_between_two_pages_is_waited_for_in_a_new_turn_of_the_budget(tenant: Tenant) -> None:
    since = tenant.churns(0, 100)
    tenant.churns(100, 1500)
    tenant.admin("POST", "faults", {"kind": "status", "status": 429, "path": "/churn", "skip": 1, "count": 1})
    budget = Meanwhile()
    found = tenant.look(CHURN, since, budget=budget)
    assert (found.whole, keys(found)) == (False, numbers(0, 1500))
    assert budget.calls == len(tenant.sorts()) == 4  # two pages, one of them twice, and the end


# -- whether to look at all, and single records


def test_one_call_tells_that_nothing_has_changed(tenant: Tenant) -> None:
    tenant.churns(0, 120)
    since = tenant.churns(120, 122)
    with tenant.connect(budget := Meanwhile()) as client:
        assert not has_changed(client, CHURN, since)
        assert budget.calls == 1
        last = tenant.churns(4, 5, value=1)
        assert has_changed(client, CHURN, since)
        assert has_changed(client, CHURN, None)
        assert not has_changed(client, CHURN, last)
        assert not has_changed(client, model("sale"), LONG_AGO)
        tenant.delete(CHURN, "4")
        assert not has_changed(client, CHURN, last)


@pytest.mark.parametrize(
    "switch",
    [{"list_order": "oldest_first"}, {"list_order": "newest_first"}, {"update_stamps": "none"}],
)
def test_where_no_order_can_be_trusted_something_may_always_have_changed(
    tenant: Tenant, switch: dict[str, str]
) -> None:
    tenant.churns(0, 120)
    tenant.churns(120, 121)
    since = tenant.churns(50, 51, value=1)
    tenant.switch(**switch)
    with tenant.connect() as client:
        assert has_changed(client, CHURN, since)
        tenant.switch(list_order=None, update_stamps=None)
        tenant.admin("POST", "faults", {"kind": "status", "status": 400, "path": "/churn", "count": 1})
        assert has_changed(client, CHURN, since)


@pytest.mark.parametrize("name", ["documented", "updatedAt"])
def test_a_change_of_a_company_shows_by_whichever_stamp_it_carries(tenant: Tenant, name: str) -> None:
    since = tenant.put(COMPANY, *({"externalId": f"c-{n}", "name": f"N {n}"} for n in range(9)))
    tenant.switch(update_stamps=name)
    with tenant.connect() as client:
        assert not has_changed(client, COMPANY, since)
        tenant.put(COMPANY, {"externalId": "c-3", "phase": "x"})
        assert has_changed(client, COMPANY, since)


def test_single_records_come_as_in_a_look(tenant: Tenant) -> None:
    tenant.churns(0, 5)
    tickets = [{"sourceId": f"{n}", "email": "a@x.test", "companyId": "extid-c"} for n in range(5)]
    tenant.put(model("ticket"), *tickets)
    for kind, calls in ((CHURN, 3), (model("ticket"), 1)):
        with tenant.connect(budget := Meanwhile()) as client:
            found = single(client, kind, ["value", "companyName"], "sourceId", ["2", "nobody", "4", "2"])
        every = tenant.look(kind, None, select=["value", "companyName"]).records
        assert found.rows() == [every.row(2), every.row(4)], kind.name
        assert (found.columns, budget.calls) == (every.columns, calls)


# -- while others work on


def settle(tenant: Tenant, first: Changes, *deleted: str) -> None:
    """Two looks, one after the other, tell all that there is."""
    told: dict[str, str] = {}
    for found in (first, tenant.look(CHURN, first.stamp)):
        told |= dict(found.records.select("sourceId", "value").iter_rows())
    held = {key: str(row["value"]) for key, row in tenant.held(CHURN).items()}
    assert {key: value for key, value in told.items() if key not in deleted} == held


@pytest.mark.parametrize("since", [None, LONG_AGO])
def test_what_changes_while_it_is_read_comes_now_or_the_next_time(tenant: Tenant, since: str | None) -> None:
    for first in range(0, 2500, 500):
        tenant.churns(first, first + 500)
    others = Meanwhile(
        before_call_2=lambda: (tenant.churns(3, 5, value=1), tenant.churns(2000, 2004, value=1)),
        before_call_3=lambda: (tenant.churns(2600, 2610), tenant.churns(700, 701, value=2)),
    )
    found = tenant.look(CHURN, since, budget=others)
    assert found.whole is (since is None)
    assert len(keys(found)) >= 2495
    settle(tenant, found)


@pytest.mark.parametrize("since", [None, LONG_AGO])
def test_what_is_deleted_while_it_is_read_makes_no_other_record_slip_through(
    tenant: Tenant, since: str | None
) -> None:
    for first in range(0, 2500, 500):
        tenant.churns(first, first + 500)
    gone = {"1", "2", "2400", "2401", "2402"}
    found = tenant.look(CHURN, since, budget=Meanwhile(before_call_2=lambda: tenant.delete(CHURN, *gone)))
    assert keys(found) >= numbers(0, 2500) - gone
    assert found.why == ("the first look" if since is None else "")
    settle(tenant, found, *gone)


def test_a_list_that_moves_on_by_a_page_with_every_call_is_read_by_id(tenant: Tenant) -> None:
    for first in range(0, 2400, 400):
        tenant.churns(first, first + 400)
    steps = {
        f"before_call_{call}": lambda call=call: tenant.churns(0, 1200, value=call) for call in (2, 4, 6)
    }
    found = tenant.look(CHURN, LONG_AGO, budget=Meanwhile(**steps))
    assert (found.whole, keys(found)) == (True, numbers(0, 2400))
    assert "faster than it can be read" in found.why
    settle(tenant, found)


# -- values


_VALUES: list[tuple[str, Item, dict[str, str | None]]] = [
    (
        "company",
        {
            "externalId": "c",
            "owner": "a" * 24,
            "tags": ["å", "b"],
            "csmScore": 4,
            "custom": {
                "Seats": 10.5,
                "Live": False,
                "Signed": "2026-11-22T00:00:00.000Z",
                "Tags": ["p"],
                "Motto": "1.50",
                "Deep": {"b": 1, "a": [2, None]},
            },
        },
        {
            "owner": "a" * 24,
            "tags": '["å","b"]',
            "csmScore": "4",
            "custom.Seats": "10.5",
            "custom.Live": "false",
            "custom.Signed": "2026-11-22",
            "custom.Tags": '["p"]',
            "custom.Motto": "1.50",
            "custom.Deep": '{"a":[2,null],"b":1}',
            "custom.Absent": None,
        },
    ),
    (
        "license",
        {
            "_currency": "SEK",
            "value": 10.0,
            "fromDate": "2026-11-22",
            "autoRenews": True,
            "companyId": "extid-c",
        },
        {
            "_currency": "SEK",
            "value": "10",
            "fromDate": "2026-11-22T00:00:00.000Z",
            "autoRenews": "true",
            "toDate": None,
        },
    ),
    (
        "user",
        {"email": "u@x.test", "nickName": "U", "firstName": "U", "lastName": "V", "roles": ["b" * 24]},
        {"roles": f'["{"b" * 24}"]', "externalId": None},
    ),
    (
        "invoice",
        {"sourceId": "i", "cId": "extid-c", "currency": "SEK", "invoiceDate": 19097},
        {"invoiceDate": "19097"},
    ),
    ("time_entry", {"date": "2026-11-22T23:30:00Z", "hours": 1.25}, {"date": "2026-11-22", "hours": "1.25"}),
]


@pytest.mark.parametrize("quirks", [False, True])
def test_each_value_has_one_text_however_it_is_shown(tenant: Tenant, quirks: bool) -> None:
    types = {"Seats": "number", "Live": "checkbox", "Signed": "day", "Tags": "multipicklist"}
    kinds = {f"custom.{name}": CUSTOM_KINDS[type] for name, type in types.items()}
    tenant.switch(read_quirks=quirks)
    for name, item, texts in _VALUES:
        tenant.put(model(name), item)
        found = tenant.look(model(name), LONG_AGO, select=list(texts), kinds=kinds)
        assert found.records.select(list(texts)).row(0, named=True) == texts, name


# -- what the local Planhat never does


def record(number: int, stamp: Any = None, **facts: Any) -> Item:
    return {"_id": f"{number:024x}", "sourceId": str(number), "updatedAt": stamp, **facts}


@pytest.fixture
def odd(far: Far) -> Iterator[Callable[..., Changes]]:
    """A look at a list that a function of offset, sort and limit gives."""
    with Planhat(Account(TOKEN, TENANT, far.url, far.url), sleep=lambda _: None) as client:

        def look(rows: Callable[[int, str, int], list[Item]], kind: Model = CHURN) -> Changes:
            far.answer = lambda seen: (
                200,
                rows(int(seen.params["offset"]), seen.params["sort"], int(seen.params["limit"])),
            )
            return changes(client, kind, ["sourceId"], "2026-11-01T00:00:00Z", overlap=0)

        yield look


def day(number: int) -> str:
    return f"2026-10-{number:02}T00:00:00Z"


def test_the_later_of_two_stamps_counts(odd: Callable[..., Changes], far: Far) -> None:
    rows = [record(n, day(1 + n // 20), lastUpdated="2020-01-01") for n in range(200)]

    def lists(offset: int, sort: str, limit: int) -> list[Item]:
        found = sorted(rows, key=lambda row: row[sort.removeprefix("-")], reverse=sort.startswith("-"))
        return found[offset : offset + limit]

    rows[5]["updatedAt"] = "2026-11-20T08:00:00Z"  # the list is in the order of this name alone
    found = odd(lists, COMPANY)
    assert found.records.rows() == [(f"{5:024x}", "5", "2026-11-20T08:00:00.000Z")]
    assert (found.whole, found.stamp) == (False, "2026-11-20T08:00:00.000Z")
    assert [seen.params["sort"] for seen in far.seen] == ["-lastUpdated", "-updatedAt", "updatedAt"]
    rows[9]["lastUpdated"] = "2026-11-20T11:00:00+02:00"  # and now of neither
    found = odd(lists, COMPANY)
    assert (found.whole, found.records.height) == (True, 200)
    assert found.records["stamp"][9] == "2026-11-20T09:00:00.000Z"


def test_a_server_that_knows_no_offset_is_not_taken_for_the_end_of_the_list(
    odd: Callable[..., Changes],
) -> None:
    rows = [record(n, "2026-11-02") for n in range(300)]
    found = odd(lambda offset, sort, limit: rows[:limit])
    assert "faster than it can be read" in found.why


def test_a_stamp_of_the_far_future_does_not_hide_what_comes_after_it(odd: Callable[..., Changes]) -> None:
    found = odd(lambda offset, sort, limit: [record(1, "2999-01-01"), record(2, "2026-11-02")])
    assert found.stamp is not None
    assert found.stamp < "2999"
    assert found.records["stamp"].to_list() == ["2999-01-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"]


@pytest.mark.parametrize("stamp", [7, "", "yesterday", {"$date": 1}, None])
def test_what_is_no_time_is_no_stamp(odd: Callable[..., Changes], stamp: Any) -> None:
    found = odd(lambda offset, sort, limit: [record(n, stamp) for n in range(offset, 120)])
    assert (found.whole, found.records["stamp"].null_count()) == (True, 120)
    assert found.stamp == "2026-11-01T00:00:00.000Z"


def test_a_since_that_is_no_stamp_is_refused(odd: Callable[..., Changes], far: Far) -> None:
    with (
        Planhat(Account(TOKEN, TENANT, far.url, far.url)) as client,
        pytest.raises(ValueError, match="since"),
    ):
        changes(client, CHURN, [], "last week")
    assert not far.seen
