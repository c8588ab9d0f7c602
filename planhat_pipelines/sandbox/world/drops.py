"""Files that land in the bucket: device logs, milestones (CSV), legacy accounts (XLSX), contacts (JSON)."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from openpyxl import Workbook

from planhat_pipelines.sandbox.world.customers import Customer
from planhat_pipelines.sandbox.world.dice import dice
from planhat_pipelines.sandbox.world.usage import activity

BUCKET = "acme-drops"
_LOG_DAYS = 7


def first_drops(seed: int, cast: Sequence[Customer], as_of: date) -> dict[str, bytes]:
    """Key and content of every file waiting at the start."""
    days = [as_of - timedelta(days=ago) for ago in range(_LOG_DAYS, 0, -1)]
    return {
        **{device_log_key(day): device_log(seed, cast, as_of, day) for day in days},
        "legacy/accounts.xlsx": _legacy_accounts(seed, cast),
        "legacy/milestones.csv": _legacy_milestones(seed, cast),
        f"contacts/webinar-{days[0]}.json": _webinar_contacts(seed, cast, days[0]),
    }


def device_log_key(day: date) -> str:
    return f"devices/devices-{day}.csv"


def device_log(seed: int, cast: Sequence[Customer], as_of: date, day: date) -> bytes:
    """One day of device sightings as a gateway writes them: semicolons, local time of Stockholm."""
    chance = dice(seed, "device log", day)
    rows: list[tuple[object, ...]] = []
    for who in cast:
        share = activity(who, as_of, day)
        for at in range(1, 1 + round(share * (1 + who.number % 3))):
            for _ in range(chance.randint(1, 3)):
                seen = datetime.combine(day, time()) + timedelta(seconds=chance.randint(0, 86_399))
                rows.append(
                    (
                        who.account_id,
                        f"D{who.number:04d}-{at}",
                        f"{seen:%Y-%m-%d %H:%M:%S}",
                        chance.randint(1, 240),
                    )
                )
    rows.sort(key=lambda row: str(row[2]))
    if day == as_of - timedelta(days=2):
        rows.append((cast[0].account_id, "D0000-9", f"{day} 23:59:01", "n/a"))
        rows.append(("ACC-UNKNOWN", "D9999-1", f"{day} 23:59:02", 12))
        rows.append((cast[1].account_id, "D0001-9", "yesterday", 30))
    return _csv(("customer", "device_id", "seen_at", "minutes"), rows, delimiter=";")


def _legacy_accounts(seed: int, cast: Sequence[Customer]) -> bytes:
    chance = dice(seed, "legacy accounts")
    rows: list[tuple[Any, ...]] = []
    for who in cast[::7]:
        signed = datetime.combine(who.since, time())
        rows.append(
            (who.account_id, who.name, chance.choice(("paper", "e-mail", "portal")), signed, who.seats, None)
        )
    rows[2] = (*rows[2][:4], "unknown", "seats never counted")
    rows.append(("LEG-0007", None, "paper", None, 3, "name lost in the move"))
    return _xlsx(("Account Id", "Company", "Contract form", "Contract signed", "Seats", "Remark"), rows)


def _legacy_milestones(seed: int, cast: Sequence[Customer]) -> bytes:
    chance = dice(seed, "legacy milestones")
    rows: list[tuple[object, ...]] = []
    for who in cast[1::9]:
        for at, title in enumerate(("Contract moved", "Data moved", "Old system off"), start=1):
            due = who.since + timedelta(days=30 * at)
            rows.append(
                (f"LMS-{who.number + 1001}-{at}", who.account_id, title, due, chance.choice(("done", "open")))
            )
    return _csv(("milestone_id", "account_id", "title", "due_on", "status"), rows)


def _webinar_contacts(seed: int, cast: Sequence[Customer], day: date) -> bytes:
    chance = dice(seed, "webinar")
    people: list[dict[str, Any]] = []
    for who in cast[2::5]:
        given, family = chance.choice(who.locale.given), chance.choice(who.locale.family)
        people.append(
            {
                "id": f"W-{who.number + 1001}",
                "account": {"id": who.account_id},
                "name": {"given": given.native, "family": family.native},
                "email": f"w.{given.ascii}.{family.ascii}@{who.domain}",
                "attended": {"on": day.isoformat(), "minutes": chance.randint(5, 60)},
            }
        )
    people[1]["account"] = {"id": "ACC-UNKNOWN"}
    people[2]["email"] = None
    return json.dumps(people, ensure_ascii=False, indent=1).encode()


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _xlsx(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101  (a new workbook has one)
    sheet.title = "Accounts"
    for row in (header, *rows):
        sheet.append(list(row))
    fresh, same = io.BytesIO(), io.BytesIO()
    book.save(fresh)
    # The clock is in the entry dates and in core.xml: without both, the same rows give the same bytes.
    with zipfile.ZipFile(fresh) as old, zipfile.ZipFile(same, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "docProps/core.xml":
                content = _CORE
            new.writestr(zipfile.ZipInfo(entry.filename), content, zipfile.ZIP_DEFLATED)
    return same.getvalue()


_CORE = (
    b'<?xml version="1.0"?><cp:coreProperties xmlns:cp='
    b'"http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
