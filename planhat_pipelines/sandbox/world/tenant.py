"""What the Planhat tenant holds before the first sync: users, custom fields, part of the customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from planhat_pipelines.sandbox.world.crm import PHASES, assets
from planhat_pipelines.sandbox.world.customers import HOME, OWNERS, TIERS, Customer, people
from planhat_pipelines.sandbox.world.dice import dice

Record = dict[str, Any]

# parent, name, type (Planhat developers, custom field)
_CUSTOM_FIELDS = (
    ("Company", "ARR", "number"),
    ("Company", "Industry", "text"),
    ("Company", "Tier", "list"),
    ("Company", "Employees", "number"),
    ("Company", "Customer since", "day"),
    ("Company", "Reference", "checkbox"),
    ("Company", "Payment terms", "number"),
    ("Company", "Seats", "number"),
    ("Company", "Contract form", "text"),
    ("Company", "Contract signed", "day"),
    ("EndUser", "Language", "text"),
    ("EndUser", "Newsletter", "checkbox"),
    ("EndUser", "Webinar minutes", "number"),
    ("EndUser", "Webinar on", "day"),
    ("Asset", "Model", "text"),
    ("Asset", "Firmware", "text"),
    ("Asset", "Firmware level", "number"),
    ("Project", "Status", "text"),
    ("Project", "Region", "text"),
    ("Project", "Integrations", "number"),
    ("Task", "Project id", "text"),
    ("Opportunity", "Stage", "text"),
)


def custom_fields() -> list[Record]:
    return [
        {"parent": parent, "name": name, "type": kind, "isHidden": False}
        | ({"listValues": list(TIERS)} if kind == "list" else {})
        for parent, name, kind in _CUSTOM_FIELDS
    ]


def records(seed: int, cast: Sequence[Customer], as_of: date) -> dict[str, list[Record]]:
    """Records by model name, in an order in which every reference is there before it is used."""
    known = [who for who in cast if who.in_planhat]
    return {
        "user": [_user(owner) for owner in OWNERS[:-1]],  # the last one has left
        "company": [_company(seed, who) for who in known] + _prospects(),
        "enduser": [record for who in known for record in _endusers(seed, who)],
        "asset": [record for who in known[::2] for record in _assets(who)],
        "project": [_project(who, as_of) for who in known[::9]],
    }


def _user(owner: str) -> Record:
    first, _, last = owner.partition(".")
    return {
        "externalId": owner,
        "email": f"{owner}@{HOME}",
        "nickName": first.title(),
        "firstName": first.title(),
        "lastName": last.title(),
        "inactive": False,
    }


def _company(seed: int, who: Customer) -> Record:
    """A company as the sales team once typed it in: phase and score are people's own, so they may differ."""
    chance = dice(seed, "tenant", who.number)
    return {
        "externalId": who.account_id,
        "name": who.name,
        "domains": [who.domain],
        "phase": PHASES[who.story] if chance.random() < 0.9 else "Adoption",
        "country": who.locale.country,
        "csmScore": chance.randint(2, 4),
        "tags": ["imported"],
        "custom": {"Tier": who.tier},
    }


def _prospects() -> list[Record]:
    return [{"name": f"Prospect {name}", "phase": "Prospect"} for name in ("Alder", "Birch", "Cedar")]


def _endusers(seed: int, who: Customer) -> list[Record]:
    return [
        {
            "externalId": person.person_id,
            "companyId": f"extid-{who.account_id}",
            "email": person.email,
            "firstName": person.first_name,
            "lastName": person.last_name,
        }
        for person in list(people(seed, who))[:2]
    ]


def _assets(who: Customer) -> list[Record]:
    return [
        {
            "externalId": asset,
            "companyId": f"extid-{who.account_id}",
            "name": f"{who.locale.city} {asset[-1]}",
        }
        for asset in assets(who)
    ]


def _project(who: Customer, as_of: date) -> Record:
    return {
        "externalId": f"PH-{who.number + 1001}",
        "companyId": f"extid-{who.account_id}",
        "name": f"{who.name}: success plan {as_of.year}",
        "startDate": f"{as_of.year}-01-01T00:00:00.000Z",
    }
