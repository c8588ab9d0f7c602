from __future__ import annotations

import threading
import time

import requests

from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat


def test_a_token_signs_in_as_bearer_or_as_basic_user_with_a_colon(planhat: Planhat):
    assert planhat.call("GET", "companies", headers={}, auth=(planhat.server.token, "")).status_code == 200
    assert planhat.call("GET", "companies").status_code == 200
    assert len(planhat.server.token) > 340


def test_a_missing_wrong_or_half_token_is_401(planhat: Planhat):
    token = planhat.server.token
    for header in ("", "Bearer x", f"Bearer {token[:-1]}", f"Token {token}", "Basic ???"):
        assert planhat.call("GET", "companies", headers={"Authorization": header}).status_code == 401
    assert planhat.call("GET", "companies", headers={}, auth=(token, "password")).status_code == 401


def test_permissions_are_per_model_and_operation(planhat: Planhat):
    app = planhat.admin("POST", "apps", {"name": "reader", "permissions": {"company": ["read", "update"]}})
    planhat.company("c-1")
    planhat.headers = {"Authorization": f"Bearer {app['token']}"}
    assert len(planhat.get("companies")) == 1
    assert planhat.call("GET", "endusers").status_code == 403
    assert planhat.call("POST", "companies", {"name": "x"}).status_code == 403
    answer = planhat.put(
        "companies", [{"externalId": "c-1", "phase": "Live"}, {"externalId": "c-2", "name": "N"}]
    )
    assert answer.status_code == 403
    assert answer.json()["updated"] == 1
    assert answer.json()["permissionErrors"] == ["no permission to create Company"]
    planhat.switch(denied_bulk="store_none")
    answer = planhat.put(
        "companies", [{"externalId": "c-1", "phase": "x"}, {"externalId": "c-2", "name": "N"}]
    )
    assert (answer.status_code, answer.json()["updated"]) == (403, 0)
    assert planhat.get("companies/extid-c-1")["phase"] == "Live"


def test_the_log_shows_who_did_what_with_masked_tokens(planhat: Planhat):
    planhat.company("c-1")
    planhat.send("dimensiondata/{tenant}", [{"dimensionId": "d", "value": 1, "externalId": "c-1"}])
    metric, *_ = planhat.log(host="analytics")
    assert metric["counts"] == {"stored": 1, "dropped": 0}
    assert planhat.server.tenant not in str(metric)
    bulk = planhat.log(method="PUT", path="/companies")[0]
    assert (bulk["items"], bulk["status"], bulk["app"]) == (1, 200, "default")
    assert bulk["counts"]["created"] == 1
    assert planhat.server.token not in str(planhat.log())
    assert planhat.log(after=metric["seq"]) == []


def test_the_soft_limit_only_counts_until_told_to_refuse(planhat: Planhat):
    planhat.switch(soft_limit_per_minute=5)
    assert [planhat.call("GET", "users").status_code for _ in range(8)] == [200] * 8
    assert planhat.admin("GET", "state")["limits"]["over"]["minute"] == 3
    planhat.switch(soft_limit="refuse")
    answer = planhat.call("GET", "users")
    assert (answer.status_code, answer.text) == (429, "Too many requests")
    assert "Retry-After" not in answer.headers
    assert answer.headers["X-Rate-Limit-Remaining"] == "0"
    planhat.switch(retry_after_seconds=7, rate_headers="x-ratelimit")
    answer = planhat.call("GET", "users")
    assert answer.headers["Retry-After"] == "7"
    assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 60
    assert planhat.send("dimensiondata/{tenant}", []).status_code == 200  # outside the quota


def test_the_hard_limits_are_150_a_second_and_50_at_once(planhat: Planhat):
    planhat.switch(hard_limit_per_second=5)
    with requests.Session() as session:
        session.headers.update(planhat.headers)
        codes = [session.get(f"{planhat.server.api_url}/users", timeout=5).status_code for _ in range(8)]
    assert 429 in codes
    planhat.admin("POST", "reset")
    planhat.switch(parallel_requests=3)
    planhat.fault("slow", seconds=0.4, path="/users")
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(planhat.call("GET", "users").status_code))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == [200, 200, 200, 429, 429]


def test_the_admin_view_answers_only_this_machine_and_no_other_sites_page(planhat: Planhat):
    url = f"{planhat.server.api_url}/_sandbox/state"
    assert requests.get(url, timeout=5).status_code == 200
    assert requests.get(url, headers={"Origin": "https://elsewhere.test"}, timeout=5).status_code == 403
    assert requests.get(url, headers={"Host": "elsewhere.test"}, timeout=5).status_code == 403


def test_a_long_write_does_not_keep_the_page_waiting(planhat: Planhat):
    items = [{"externalId": f"c-{i}", "name": "N", "description": "x" * 500} for i in range(5000)]
    thread = threading.Thread(target=planhat.put, args=("companies", items))
    thread.start()
    slowest = 0.0
    while thread.is_alive():
        started = time.perf_counter()
        requests.get(planhat.server.api_url, timeout=5)
        slowest = max(slowest, time.perf_counter() - started)
    thread.join(10)
    assert slowest < 1.0
