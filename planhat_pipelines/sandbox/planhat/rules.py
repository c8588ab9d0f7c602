"""What Planhat does to a record of its own accord, model by model: defaults on insert, mirrored and composed fields."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from planhat_pipelines.sandbox.planhat.fields import Refused
from planhat_pipelines.sandbox.planhat.store import Doc, many
from planhat_pipelines.sandbox.planhat.switches import Switches

BUILT_IN_TYPES = frozenset(("email", "chat", "ticket", "call"))

# fields that a new record has when the item says nothing
DEFAULTS: Mapping[str, Doc] = {
    "companies": {"status": "prospect", "domains": [], "tags": [], "mrr": 0, "arr": 0},
    "endusers": {"archived": False, "primary": False, "featured": False, "tags": []},
    "licenses": {"renewalStatus": "ongoing", "autoRenews": False},
    "opportunities": {"contractLength": 12, "status": "active"},
    "lineitems": {"status": "ongoing"},
    "products": {"type": "subscription"},
    "tasks": {"isArchived": False},
    "issues": {"archived": False, "companyIds": []},
    "invoices": {"status": "pending"},
    "conversations": {"type": "note", "archived": False, "starred": False, "pinned": False},
    "users": {"inactive": True, "isHidden": False, "notificationsEnabled": True},
}


def _company(doc: Doc, new: bool) -> None:
    if new:
        doc["slug"] = re.sub(r"[^a-z0-9]+", "-", str(doc["name"]).lower()).strip("-")


def _enduser(doc: Doc, _new: bool) -> None:
    name = " ".join(part for part in (doc.get("firstName"), doc.get("lastName")) if part)
    if name:
        doc["name"] = name
    if doc.get("email"):
        doc["emailMd5"] = hashlib.md5(doc["email"].lower().encode(), usedforsecurity=False).hexdigest()


def _yearly(doc: Doc, _new: bool) -> None:
    if isinstance(doc.get("mrr"), int | float):
        doc["arr"] = doc["mrr"] * 12


def _task(doc: Doc, _new: bool) -> None:
    if doc.get("dateDone"):
        doc["isArchived"] = True


def _nps(doc: Doc, _new: bool) -> None:
    for read, written in (("nps", "score"), ("npsComment", "comment"), ("npsDate", "dateAnswered")):
        if written in doc:
            doc[read] = doc[written]


def _time_entry(doc: Doc, _new: bool) -> None:
    for read, rate in (("totalBilled", "billableRate"), ("totalCost", "costRate")):
        if isinstance(doc.get(rate), int | float):
            doc[read] = round(doc[rate] * doc["hours"], 2)


_SETTLE: Mapping[str, Callable[[Doc, bool], None]] = {
    "companies": _company,
    "endusers": _enduser,
    "licenses": _yearly,
    "deals": _yearly,
    "products": _yearly,
    "tasks": _task,
    "nps": _nps,
    "timeentries": _time_entry,
}


def settle(collection: str, doc: Doc, *, new: bool) -> None:
    """Fill what Planhat fills, in place, after the item's fields are in the record."""
    rule = _SETTLE.get(collection)
    if rule:
        rule(doc, new)


def check_conversation(changes: Doc, switches: Switches) -> None:
    """Unknown types turn into notes, the built-in ones cannot be created. Source: Planhat developers, conversation."""
    kind = changes.get("type")
    if kind in BUILT_IN_TYPES:
        raise Refused(f"type {kind} is reserved")
    if kind is not None and kind not in switches["conversation_types"]:
        changes["type"] = "note"


def mail_domain(item: Mapping[str, Any]) -> str | None:
    email = item.get("email")
    return email.rpartition("@")[2].lower() if isinstance(email, str) and "@" in email else None


def own_domains(item: Mapping[str, Any]) -> list[str]:
    """The domains that an item lists itself, as tickets may."""
    domains = item.get("domains")
    return [str(domain).lower() for domain in cast("list[Any]", domains)] if isinstance(domains, list) else []


def companies_by_domain(db: sqlite3.Connection, domains: Iterable[str]) -> dict[str, str]:
    """The company of each mail domain; the first one where several share it."""
    rows = db.execute(
        "select domain, min(company) from domains where domain in (select value from json_each(?)) group by domain",
        (many(domains),),
    )
    return dict(rows.fetchall())


def keep_domains(db: sqlite3.Connection, companies: Mapping[str, Iterable[Any]]) -> None:
    """Remember which company has which mail domains."""
    for company, domains in companies.items():
        db.execute("delete from domains where company = ?", (company,))
        rows = {(str(domain).lower(), company) for domain in domains}
        db.executemany("insert into domains values (?, ?)", rows)
