from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from planhat_pipelines.sandbox.planhat import PlanhatServer
from planhat_pipelines_tests.sandbox.planhat.conftest import Planhat


def test_state_token_tenant_and_switches_survive_a_kill(tmp_path: Path):
    with PlanhatServer(tmp_path) as server:
        planhat = Planhat(server)
        company = planhat.company("c-1")
        planhat.send("dimensiondata/{tenant}", [{"dimensionId": "d", "value": 1, "externalId": "c-1"}])
        planhat.switch(thin_lists=True)
        planhat.call(
            "POST", "customfields", {"name": "N", "parent": "Company", "type": "number", "isHidden": False}
        )
        known = server.token, server.tenant
        server.stop(kill=True)
        server.start()
        planhat = Planhat(server)
        assert (server.token, server.tenant) == known
        assert planhat.get("companies") == [{"_id": company, "name": "Name of c-1"}]
        planhat.send("dimensiondata/{tenant}", [{"dimensionId": "d", "value": 2, "externalId": "c-1"}])
        assert [point["value"] for point in planhat.get("dimensiondata", cId=company)] == [1, 2]
        assert planhat.put("companies", [{"externalId": "c-1", "custom": {"N": "x"}}]).status_code == 400
    assert (tmp_path / "planhat.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_tells_its_ports_and_ends_on_a_signal_even_where_it_was_ignored(
    tmp_path: Path, number: int
):
    process = subprocess.Popen(
        [sys.executable, "-m", "planhat_pipelines.sandbox.planhat", "--folder", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        assert process.stdout
        ports = json.loads(process.stdout.readline())
        assert set(ports) == {"port", "analytics_port"}
        with requests.Session() as session:  # an open connection must not hold it up
            assert session.get(f"http://127.0.0.1:{ports['port']}/", timeout=5).status_code == 200
            started = time.monotonic()
            process.send_signal(number)
            assert process.wait(5) == 0
            assert time.monotonic() - started < 5
    finally:
        process.kill()
        process.communicate(timeout=5)


def test_a_server_that_cannot_start_says_so(tmp_path: Path):
    with PlanhatServer(tmp_path / "one") as server:
        port = int(server.api_url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="ended with code 1"):
            PlanhatServer(tmp_path / "two", port=port).start()


def test_switches_refuse_what_they_do_not_take_and_null_goes_back_to_the_default(planhat: Planhat):
    for wrong in ({"no_such": 1}, {"soft_limit": "sometimes"}, {"read_quirks": 1}, {"bulk_items": -1}):
        with pytest.raises(RuntimeError, match="400"):
            planhat.admin("PUT", "switches", wrong)
    planhat.switch(soft_limit="off")
    assert planhat.admin("GET", "state")["switches"] == {"soft_limit": "off"}
    planhat.switch(soft_limit=None)
    assert planhat.admin("GET", "state")["switches"] == {}
    assert all(switch["why"] for switch in planhat.admin("GET", "switches"))


def test_a_person_can_edit_a_record_and_the_stamp_moves(planhat: Planhat):
    company = planhat.company("c-1")
    before = planhat.get(f"companies/{company}")["lastUpdated"]
    time.sleep(0.002)
    planhat.admin("PATCH", f"records/company/{company}", {"csmScore": 4, "custom": {"Note": "hi"}})
    found = planhat.get("companies", sort="-lastUpdated")[0]
    assert (found["csmScore"], found["custom"]) == (4, {"Note": "hi"})
    assert found["lastUpdated"] > before
    assert planhat.log(method="EDIT")[0]["app"] == "a person"


def test_the_admin_view_finds_records_by_text_and_company_and_hashes_them(planhat: Planhat):
    company = planhat.company("c-1")
    planhat.company("c-2")
    planhat.good("assets", {"name": "Plant", "companyId": company, "externalId": "a"})
    assert planhat.admin("GET", "records/company", q="c-2")["total"] == 1
    assert planhat.admin("GET", "records/asset", company=company)["records"][0]["name"] == "Plant"
    assert planhat.admin("GET", f"companies/{company}")["counts"]["asset"] == 1
    first = planhat.admin("GET", "digest/company")
    planhat.admin("POST", "reset")
    planhat.company("c-2")
    planhat.company("c-1")
    assert planhat.admin("GET", "digest/company") == first


def test_the_page_and_all_it_needs_come_from_the_server_itself(planhat: Planhat):
    page = requests.get(planhat.server.api_url, timeout=5)
    assert page.status_code == 200
    assert "https://" not in page.text
    for name in ("page.js", "page.css"):
        answer = requests.get(f"{planhat.server.api_url}/_static/{name}", timeout=5)
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
