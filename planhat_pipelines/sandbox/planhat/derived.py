"""Company fields that follow from other records: revenue and status from the licences, names in what belongs to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

import orjson

from planhat_pipelines.sandbox.planhat.store import COLLECTIONS, Doc, many, now_iso


def rename(db: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Carry the new names of companies, by id, into what belongs to them."""
    for collection in COLLECTIONS:
        field = "cName" if collection == "invoices" else "companyName"
        db.executemany(
            f"update \"{collection}\" set doc = json_set(doc, '$.{field}', ?) where company = ?",
            [(name, company) for company, name in names.items()],
        )


def company_money(db: sqlite3.Connection, companies: Iterable[str], *, moves_stamp: bool) -> None:
    """Compute mrr, arr, status and the dates of companies from their licences.

    The exact rules are not public. Here the licences in force are added up, and the status says whether there are any.
    """
    now = now_iso()
    rows = db.execute(
        "select company, json_extract(doc, '$.mrr'), json_extract(doc, '$.value'), json_extract(doc, '$.fromDate'), "
        "json_extract(doc, '$.toDate'), json_extract(doc, '$.renewalStatus') from licenses "
        "where company in (select value from json_each(?))",
        (many(companies),),
    )
    money: dict[str, Doc] = {}
    for company, mrr, value, start, end, renewal in rows:
        sums = money.setdefault(company, {"mrr": 0, "starts": [], "ends": [], "now": False, "later": False})
        sums["starts"].append(start)
        sums["ends"].append(end)
        if start <= now and (end is None or end >= now) and renewal != "lost":
            sums["now"] = True
            sums["mrr"] += mrr or round((value or 0) / _months(start, end), 2)
        sums["later"] |= start > now
    known = db.execute(
        "select id, doc from companies where id in (select value from json_each(?))", (many(money),)
    ).fetchall()
    changed: list[tuple[str, str, str]] = []
    for id, text in known:
        doc: Doc = orjson.loads(text)
        sums = money[id]
        ends = [end for end in sums["ends"] if end is not None]
        facts: Doc = {
            "mrr": sums["mrr"],
            "arr": sums["mrr"] * 12,
            "mrrTotal": sums["mrr"],
            "status": "customer" if sums["now"] else "coming" if sums["later"] else "canceled",
            "customerFrom": min(sums["starts"]),
            "customerTo": max(ends) if len(ends) == len(sums["ends"]) else None,
            "renewalDate": min((end for end in ends if end >= now), default=None),
        }
        if any(doc.get(name) != value for name, value in facts.items()):
            doc.update(facts)
            if moves_stamp:
                doc["lastUpdated"] = now
            changed.append((orjson.dumps(doc).decode(), doc["lastUpdated"], id))
    db.executemany("update companies set doc = ?, updated = ? where id = ?", changed)


def _months(start: str, end: str | None) -> int:
    if end is None:
        return 12
    days = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).days
    return max(1, round(days / 30.4))


def last_active(db: sqlite3.Connection, collection: str, moments: dict[str, str]) -> None:
    """Move `lastActive` forward after activities; the update stamp stays."""
    db.executemany(
        f"update \"{collection}\" set doc = json_set(doc, '$.lastActive', ?1) "
        "where id = ?2 and coalesce(json_extract(doc, '$.lastActive'), '') < ?1",
        [(moment, id) for id, moment in moments.items()],
    )
