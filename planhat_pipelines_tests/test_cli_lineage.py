"""The lineage page opens from disk, says what a dropped column breaks and where a field comes from, by keyboard too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import planhat_pipelines
from planhat_pipelines.cli import main
from planhat_pipelines.commands.lineage import page
from planhat_pipelines.spec.load import load
from planhat_pipelines_tests.browser import Browser, chromium
from planhat_pipelines_tests.spec.files import write

ACCOUNTS = """
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: accounts
  table: CRM.PUBLIC.ACCOUNTS
  model: company
  key: {column: ACCOUNT_ID, field: externalId}
  direction: both
  on_conflict: newest
  updated_at: UPDATED_AT
  gone_column: GONE
  every: 1h
  fields:
    - {column: NAME, field: name}
    - {column: ARR, field: custom.ARR, type: number}
    - {column: PROFILE, path: industry.name, field: custom.Industry, direction: to_planhat}
    - {expression: "upper(COUNTRY) || CITY", field: custom.Place, direction: to_planhat}
    - {column: CSM_SCORE, field: csmScore, direction: to_snowflake}
  owners: ["team:revenue-operations"]
---
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: mirror
  table: MART.PUBLIC.COMPANIES
  model: company
  key: {column: ID, field: externalId}
  direction: to_snowflake
  every: daily at 06:00
  fields:
    - {column: ARR, field: custom.ARR}
  owners: ["team:analytics"]
---
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: people
  table: CRM.PUBLIC.CONTACTS
  model: enduser
  key: {column: ID, field: externalId}
  company: {column: ACCOUNT_ID, id: external}
  every: 30m
  fields:
    - {column: EMAIL, field: email}
    - {value: "</script><b id='broken'>", field: custom.Source}
  sensitive: [email]
  tags: {pii: "yes"}
---
type: planhat_pipelines.SnowflakeUsage
attributes:
  name: seats
  table: crm.public.accounts
  incrementing_key: ROW_ID
  every: 5m
  metrics:
    target: {model: company, column: account_id, id: external}
    date: DAY
    values:
      - {metric: active_seats, column: SEATS}
---
type: planhat_pipelines.S3Files
attributes:
  name: old_accounts
  bucket: acme-drops
  prefix: legacy/
  every: 30m
  records:
    model: company
    key: {column: Account Id, field: externalId}
    fields:
      - {column: Company, field: name}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineage")
    write(folder / "defs" / "all", ACCOUNTS)
    out = folder / "a page.html"
    assert main(["lineage", "--defs", str(folder / "defs"), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def shown(browser: Browser, file: Path) -> Iterator[Browser]:
    browser.open(file.as_uri())
    yield browser
    assert browser.complaints == []


def panel(browser: Browser) -> str:
    return browser.run("document.getElementById('panel').innerText")


def lit(browser: Browser) -> set[str]:
    return set(
        browser.run("[...new Set([...document.querySelectorAll('.node.on')].map((each) => each.dataset.id))]")
    )


def find(browser: Browser, words: str) -> None:
    browser.press("/")
    browser.write(words)


def test_a_column_found_by_typing_shows_what_breaks_when_it_is_dropped_also_in_what_lies_behind(
    shown: Browser,
) -> None:
    find(shown, "accounts.arr")
    shown.press("Enter")
    said = panel(shown)
    assert "Column of CRM.PUBLIC.ACCOUNTS\nARR" in said
    assert "Company custom.ARR\nnumber · sync accounts, 1h · team:revenue-operations" in said
    assert "MART.PUBLIC.COMPANIES ARR" in said  # the mirror takes it from Planhat
    assert "5 other fields no longer updated" in said
    assert lit(shown) == {"CRM.PUBLIC.ACCOUNTS: ARR", "Company: custom.ARR", "MART.PUBLIC.COMPANIES: ARR"}


def test_a_field_that_is_clicked_shows_columns_expression_and_every_sync_that_writes_it(
    shown: Browser,
) -> None:
    shown.click('[data-id="Company: custom.Place"]')
    assert "CRM.PUBLIC.ACCOUNTS COUNTRY\nas the custom field: upper(COUNTRY) || CITY" in panel(shown)
    assert {"CRM.PUBLIC.ACCOUNTS: COUNTRY", "CRM.PUBLIC.ACCOUNTS: CITY"} < lit(shown)
    shown.click('[data-id="Company: name"]')
    said = panel(shown)
    assert "Several places write it" in said
    assert "s3://acme-drops/legacy/ Company\ntext · sync old_accounts, 30m" in said
    assert "It goes on to" in said  # and comes back to the table


def test_one_column_is_one_in_all_syncs_that_read_its_table(shown: Browser) -> None:
    find(shown, "CRM.PUBLIC.ACCOUNTS.account_id")
    shown.press("Enter")
    said = panel(shown)
    assert "Company externalId" in said
    assert "Company metrics target" in said
    assert re.search(r"stop until the mapping is corrected\naccounts\n.*\nseats\n", said, flags=re.DOTALL)


def test_what_else_a_sync_reads_counts_as_use(shown: Browser) -> None:
    shown.click('.read[data-id="CRM.PUBLIC.ACCOUNTS: ROW_ID"]')
    said = panel(shown)
    assert "No Planhat field takes its value from it." in said
    assert "incrementing key of seats" in said
    assert "Syncs that stop until the mapping is corrected\nseats" in said


def test_the_page_is_worked_by_keys_alone_and_a_choice_has_an_address(shown: Browser, file: Path) -> None:
    find(shown, "industry")
    shown.press("ArrowDown", "Enter")
    assert shown.run("document.activeElement.dataset.id") == "Company: custom.Industry"
    shown.press("ArrowLeft")
    assert shown.run("document.activeElement.dataset.id") == "CRM.PUBLIC.ACCOUNTS: PROFILE"
    shown.press("ArrowUp", "Enter")
    assert "\nARR" in panel(shown)
    address = shown.run("location.href")
    shown.press("Escape")
    assert "What breaks, and where from" in panel(shown)
    assert lit(shown) == set()
    shown.open(address)
    assert "\nARR" in panel(shown)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("pii", ["people"]),
        ("team:analytics", ["mirror"]),
        ("to snowflake", ["mirror"]),
        ("5m", ["seats"]),
        ("no such thing", []),
    ],
)
def test_search_narrows_the_syncs_by_tag_owner_direction_and_cadence(
    shown: Browser, words: str, left: list[str]
) -> None:
    find(shown, words)
    found = "[...document.querySelectorAll('.sync:not([hidden])')].map((each) => each.dataset.sync)"
    assert shown.run(found) == left


def test_personal_columns_and_fields_stand_out_and_are_found(shown: Browser) -> None:
    find(shown, "pii")
    options = "[...document.querySelectorAll('#found li')].map((each) => each.dataset.id)"
    personal = {"CRM.PUBLIC.CONTACTS: EMAIL", "End User: email"}
    assert set(shown.run(options)) == personal
    marked = "[...document.querySelectorAll('.node:has(.pii)')].map((each) => each.dataset.id)"
    assert set(shown.run(marked)) == personal
    shown.press("ArrowDown", "Enter")
    assert "pii" in panel(shown)


def test_on_a_narrow_window_the_impact_lies_beside_what_was_chosen(shown: Browser) -> None:
    shown.size(700, 900)
    try:
        shown.click('[data-id="CRM.PUBLIC.CONTACTS: EMAIL"]')
        place = "document.querySelector({}).getBoundingClientRect()"
        panel_at, node_at = place.format("'#panel'"), place.format("'.node.self'")
        assert shown.run(f"{panel_at}.top > {node_at}.bottom && {panel_at}.bottom <= innerHeight")
        assert "End User email" in panel(shown)
    finally:
        shown.size(1440, 950)


def test_text_of_a_spec_is_text_on_the_page(shown: Browser) -> None:
    assert shown.run("document.getElementById('broken')") is None
    assert "</script><b id='broken'>" in shown.run("document.getElementById('syncs').innerText")


def test_nothing_lies_outside_the_window_on_a_phone(shown: Browser) -> None:
    shown.size(400, 800)
    try:
        assert shown.run("document.documentElement.scrollWidth") <= 400
    finally:
        shown.size(1440, 950)


def test_the_file_holds_all_it_needs(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|https?://(?!www\.w3\.org/2000/svg")""", text)
    assert "default-src 'none'" in text
    assert len(json.loads(re.findall(r'id="data">(.*?)</script>', text, flags=re.DOTALL)[0])) == 5


def test_the_shipped_syncs_have_a_page_and_broken_ones_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = [declared.spec for declared in load(Path(planhat_pipelines.__file__).parent / "defs").syncs]
    assert "daily_seats" in page(shipped)
    write(tmp_path / "one", "type: planhat_pipelines.SnowflakeUsage\nattributes: {name: 3}")
    assert main(["lineage", "--defs", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert "planhat-pipelines check" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
