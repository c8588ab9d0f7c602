"""Dagster's pages in a browser, over a location of three syncs of which two have run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from planhat_pipelines.commands import stage
from planhat_pipelines.orchestration.schedules import SYNC_TAG
from planhat_pipelines.sandbox.planhat.server import PlanhatServer
from planhat_pipelines_tests.browser import Browser, chromium
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm
from planhat_pipelines_tests.spec.files import write

SEATS = "E2E.PUBLIC.SEATS_SHOWN"
HOSTILE = "a|3 `b` <img src=x onerror='document.title=1'> ![c](http://127.0.0.1:1/d) **e**"
SYNCS = """
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: accounts
  description: Customers of the CRM.
  table: {accounts}
  model: company
  key: {{column: ID, field: externalId}}
  every: 1h
  fields:
    - {{column: NAME, field: name}}
    - {{expression: "upper(NOTE)", field: custom.Note}}
---
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: seats
  table: {seats}
  incrementing_key: ROW_ID
  every: 5m
  metrics:
    target: {{model: company, column: ACCOUNT_ID, id: external}}
    date: DAY
    values:
      - {{metric: active_seats, column: SEATS}}
---
type: planhat_pipelines.S3Files
attributes:
  name: devices
  bucket: drops
  prefix: devices/
  every: 30m
  events: http://127.0.0.1:1/000000000000/drops
  metrics:
    target: {{model: company, column: customer, id: external}}
    date: {{column: seen_at, timezone: UTC}}
    values:
      - {{metric: minutes, column: minutes, aggregate: sum}}
"""


@dataclass
class Pages:
    """Dagster in a browser. A wait that fails leaves a picture in `folder`."""

    address: str
    browser: Browser
    folder: Path

    def see(self, path: str, *texts: str) -> str:
        """Open a page, and wait until it shows all the texts."""
        self.browser.call("Page.navigate", url="about:blank")
        self.browser.call("Page.navigate", url=self.address + path)
        return self.wait(*texts)

    def wait(self, *texts: str) -> str:
        """Until the page shows all the texts; what it shows then, too."""
        shown = "document.body.innerText + [...document.querySelectorAll('img')].map((each) => each.alt)"
        try:
            self.browser.wait(
                f"document.body && {json.dumps(texts)}.every((each) => ({shown}).includes(each))"
            )
        except AssertionError:
            picture = self.folder / "failed.png"
            self.browser.picture(picture)
            raise AssertionError(f"not all of {texts} in {picture}: {self.browser.run(shown)}") from None
        return self.browser.run(shown)

    def press(self, button: str) -> None:
        """Press the button of that text."""
        has_text = f"(each) => each.innerText.trim() === {json.dumps(button)}"
        found = f"[...document.querySelectorAll('button')].find({has_text})"
        self.browser.wait(f"{found} && !{found}.disabled")
        self.browser.run(f"{found}.click()")


@pytest.fixture(scope="module")
def pages(
    sync_environment: tuple[dict[str, str], PlanhatServer],
    sync_session: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pages]:
    environment, planhat = sync_environment
    folder = tmp_path_factory.mktemp("pages")
    place = Place(sync_session, planhat, environment, folder)
    crm = Crm(place)
    crm.custom("Note")
    crm.accounts(("a-1", "Zebra AB", None, "x"), ("a-2", "Zebra Ltd"), (HOSTILE, None))
    rows = [(at, "a-1" if at % 9 else "later", f"2026-01-{1 + at // 3:02}", at % 7 + 1) for at in range(60)]
    place.seats(rows, SEATS)
    write(folder / "defs" / "all", SYNCS.format(accounts=place.table, seats=SEATS))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **place.environment,
            "PLANHAT_PIPELINES_DEFS": str(folder / "defs"),
            "DAGSTER_HOME": str(stage.dagster_home(folder)),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }.items():
            patch.setenv(name, value)
        with webserver() as address, chromium(folder / "profile") as browser:
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", message="(Class|Parameter|Function) `"
                )  # Dagster's, of itself
                run_syncs()
            wait_for(f"{address}/server_info")
            browser.size(1350, 1500)
            yield Pages(address, browser, folder)
    place.ledger.close()
    place.drop()
    place.sql(f"DROP TABLE {SEATS}")


def run_syncs() -> None:
    """Both syncs of tables, and a run of the third one that never ends."""
    from planhat_pipelines.definitions import defs
    from planhat_pipelines.orchestration.local import sync_jobs

    location = defs()
    jobs = {job.sync: job for job in sync_jobs(location)}
    with dg.DagsterInstance.get() as instance:
        assert [jobs[name].run(instance) for name in ("accounts", "seats")] == [None, None]
        job = location.resolve_job_def("devices_job")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={SYNC_TAG: "devices"})


@contextmanager
def webserver() -> Generator[str]:
    """Dagster's own, on a free port; it is not up yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-w", str(stage.WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "dagster_webserver", *words],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(address: str) -> None:
    for _ in range(600):
        try:
            requests.get(address, timeout=30)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Dagster's pages did not come up")


def test_the_graph_leads_from_tables_to_what_they_become_in_planhat(pages: Pages) -> None:
    pages.see("/assets/planhat/metrics/seats?view=lineage", "SEATS_SHOWN", "seats")
    edges = "document.querySelectorAll('svg path[d]').length"
    assert pages.browser.run(edges)


def test_an_asset_shows_its_fields_where_they_come_from_and_how_its_rows_ended(pages: Pages) -> None:
    shown = pages.see("/assets/planhat/company/accounts", "Customers of the CRM.", "custom.Note", "last_runs")
    assert "as the custom field: upper(NOTE); from E2E.PUBLIC." in shown
    assert "the last run: 2 created, 1 refused" in shown
    assert "Zebra" not in shown


def test_refused_rows_can_be_read_whole_whatever_their_keys_hold(pages: Pages) -> None:
    pages.see("/assets/planhat/company/accounts", "refused_sample", "and a Company needs it")
    cells = pages.browser.run("[...document.querySelectorAll('td')].map((each) => each.innerText.trim())")
    assert HOSTILE in cells
    assert "is empty, and a Company needs it" in " ".join(cells)


def test_checks_are_shown_with_their_promises(pages: Pages) -> None:
    pages.see("/assets/planhat/company/accounts?view=checks", "verdicts_balance", "no_rejections")


def test_the_run_of_usage_shows_verdicts_and_the_curve_of_its_points(pages: Pages) -> None:
    pages.see(
        "/assets/planhat/metrics/seats?view=events",
        "53 submitted, 7 parked",
        "points of 2026-01-01 to 2026-01-20",
    )
    drawn = "[...document.images].map((each) => each.naturalWidth > 0 && each.src.startsWith('data:'))"
    assert pages.browser.run(drawn) == [True, True]


def test_a_sensor_says_why_it_starts_no_run(pages: Pages) -> None:
    pages.see("/locations/planhat_pipelines/sensors/devices_sensor", "Preview tick result")
    pages.press("Preview tick result")
    pages.press("Continue")
    pages.wait("of devices is still at work")
