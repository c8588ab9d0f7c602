"""User activities: appended to endusers, which are created on the way when the company is known.

Source: Planhat developers, metrics and activities; support pages on equal addresses. Runs in the store's thread.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from planhat_pipelines.sandbox.planhat import derived
from planhat_pipelines.sandbox.planhat.bulk import Tamper
from planhat_pipelines.sandbox.planhat.records import Records
from planhat_pipelines.sandbox.planhat.series import moment
from planhat_pipelines.sandbox.planhat.store import Doc, Store, as_doc, iso_ms, many

Person = tuple[str, str, str | None, str | None, bool]  # id, company, externalId, email, primary


class Activities:
    """The activities in a store."""

    def __init__(self, store: Store, records: Records) -> None:
        self._store, self._db, self._records = store, store.db, records

    def push(self, events: list[Any], tamper: Tamper | None = None) -> int:
        """Append the events whose enduser is or becomes known; drop the rest in silence. Gives the number stored."""
        dropped: list[tuple[str, Any]] = []
        usable: list[Doc] = []
        for position, event in enumerate(events):
            known = as_doc(event)
            if known is None:
                dropped.append(("not an object", event))
            elif tamper and tamper(position, known):
                dropped.append(("dropped on order", known))
            else:
                usable.append({name: value for name, value in known.items() if _plain(name, value)})
        companies = self._companies(usable)
        people = self._people(usable)
        newcomers = {
            self._who(e): e
            for e in usable
            if _pick(people, companies, e) is None and self._may_join(e, companies)
        }
        if newcomers:
            self._records.bulk("endusers", [_enduser(event, companies) for event in newcomers.values()])
            people = self._people(usable)
        now = time.time_ns() // 1_000_000
        rows: list[tuple[str, str, int, int, str]] = []
        for event in usable:
            person = _pick(people, companies, event)
            if person is None:
                dropped.append(("no such enduser, and no known company to create it in", event))
                continue
            ms = _moment(event.get("date"), now)
            doc = {"weight": 1, **event, "date": iso_ms(ms)}
            rows.append((person[0], person[1], ms, now, orjson.dumps(doc).decode()))
        self._db.executemany(
            "insert into activities (enduser, company, ms, received, doc) values (?, ?, ?, ?, ?)", rows
        )
        for collection, place in (("endusers", 0), ("companies", 1)):
            seen: dict[str, int] = {}
            for row in rows:
                seen[cast("str", row[place])] = max(row[2], seen.get(cast("str", row[place]), 0))
            derived.last_active(self._db, collection, {id: iso_ms(ms) for id, ms in seen.items()})
        if dropped:
            self._store.drop("activity", dropped)
        return len(rows)

    def segment(self, call: Doc) -> int:
        """One Segment call: `track` is an activity, `identify` only makes the enduser known."""
        traits = (as_doc(call.get("traits")) or {}) | (as_doc(call.get("properties")) or {})
        context = as_doc(call.get("context")) or {}
        given: Doc = {
            "externalId": call.get("userId"),
            "email": traits.get("email"),
            "name": traits.get("name"),
            "companyExternalId": context.get("groupId") or traits.get("companyExternalId"),
        }
        event = {name: value for name, value in given.items() if _plain(name, value)}
        if call.get("type") == "identify":
            companies = self._companies([event])
            if self._may_join(event, companies):
                self._records.bulk("endusers", [_enduser(event, companies)])
            return 0
        return self.push(
            [event | {"action": call.get("event"), "date": call.get("timestamp"), "info": traits}]
        )

    def _who(self, event: Doc) -> tuple[Any, Any, Any]:
        return event.get("externalId"), event.get("email"), event.get("companyExternalId")

    def _may_join(self, event: Doc, companies: dict[str, str]) -> bool:
        return (
            bool(event.get("externalId") or event.get("email"))
            and event.get("companyExternalId") in companies
        )

    def _companies(self, events: list[Doc]) -> dict[str, str]:
        wanted = {e["companyExternalId"] for e in events if isinstance(e.get("companyExternalId"), str)}
        rows = self._db.execute(
            "select external, id from companies where external in (select value from json_each(?))",
            (many(wanted),),
        )
        return dict(rows.fetchall())

    def _people(self, events: list[Doc]) -> dict[str, list[Person]]:
        """Endusers by "externalId:…" and "email:…"."""
        people: dict[str, list[Person]] = {}
        for key, column, place in (("externalId", "external", 2), ("email", "email", 3)):
            wanted = {event[key] for event in events if isinstance(event.get(key), str)}
            rows: list[Person] = self._db.execute(
                "select id, company, external, email, json_extract(doc, '$.primary') is 1 from endusers "
                f"where {column} in (select value from json_each(?)) order by id",
                (many(wanted),),
            ).fetchall()
            for row in rows:
                people.setdefault(f"{key}:{row[place]}", []).append(row)
        return people


_IDENTITY = (
    "externalId",
    "email",
    "companyExternalId",
    "companyId",
    "name",
    "firstName",
    "lastName",
    "action",
)


def _plain(name: str, value: Any) -> bool:
    """Whether a field can be used: what identifies or names must be text."""
    return name not in _IDENTITY or isinstance(value, str)


def _enduser(event: Doc, companies: dict[str, str]) -> Doc:
    names = ("externalId", "email", "name", "firstName", "lastName")
    found = {name: event[name] for name in names if event.get(name)}
    return found | {"companyId": companies[event["companyExternalId"]]}


def _pick(people: dict[str, list[Person]], companies: dict[str, str], event: Doc) -> Person | None:
    """Among several with one address the primary one, then the one in the event's company, then any."""
    found: list[Person] = []
    for key in ("externalId", "email"):
        if event.get(key):
            found = people.get(f"{key}:{event[key]}", [])
        if found:
            break
    company = event.get("companyId") or companies.get(cast("str", event.get("companyExternalId")))
    chosen = [p for p in found if p[4]] or [p for p in found if p[1] == company] or found
    return chosen[0] if chosen else None


def _moment(given: Any, now: int) -> int:
    """Any date that a JavaScript engine reads, as far as that is sensible; else the time of receipt."""
    if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < 253_402_300_800_000:
        return int(given)  # up to the year 9999
    if not isinstance(given, str) or not given:
        return now
    found = moment(given)
    if found is None:
        try:
            found = int(parsedate_to_datetime(given).timestamp() * 1000)
        except ValueError:
            return now
    return found
