"""The CRM side of the warehouse: accounts and what hangs on them. Change tracking is on for all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from planhat_pipelines.sandbox.world.customers import HOME, Customer, people
from planhat_pipelines.sandbox.world.dice import dice
from planhat_pipelines.sandbox.world.tables import Table, money, table, variant

Rows = Iterator[tuple[Any, ...]]

ACCOUNT_COLUMNS = """ACCOUNT_ID TEXT, NAME TEXT, DOMAIN TEXT, PHASE TEXT, ARR NUMBER(12,2), OWNER_EMAIL TEXT,
    COUNTRY TEXT, CITY TEXT, CUSTOMER_SINCE DATE, CSM_SCORE NUMBER(1,0), IS_REFERENCE BOOLEAN,
    PROFILE VARIANT, UPDATED_AT TIMESTAMP_NTZ"""
PHASES = {
    "steady": "Adoption",
    "growing": "Expansion",
    "declining": "At risk",
    "churned": "Churned",
    "new": "Onboarding",
}
TITLES = ("Head of Operations", "IT Manager", "CFO", "Team Lead", "Analyst", "Procurement", None)
PRODUCTS = ("Tidewater Core", "Tidewater Insights", "Tidewater Fleet")
STEPS = ("Kick-off", "Data import", "Integration", "Training", "Go-live")
MODELS = ("TW-Gateway 2", "TW-Gateway 3", "TW-Sensor S")


def tables(seed: int, cast: Sequence[Customer], as_of: date) -> list[Table]:
    """All CRM tables of these customers."""
    made = [
        ("ACCOUNTS", ACCOUNT_COLUMNS, _accounts),
        (
            "CONTACTS",
            """CONTACT_ID TEXT, ACCOUNT_ID TEXT, EMAIL TEXT, FIRST_NAME TEXT, LAST_NAME TEXT, TITLE TEXT,
            PHONE TEXT, IS_PRIMARY BOOLEAN, PREFERENCES VARIANT, UPDATED_AT TIMESTAMP_NTZ""",
            _contacts,
        ),
        (
            "LICENSES",
            """LICENSE_ID TEXT, ACCOUNT_ID TEXT, PRODUCT TEXT, MRR NUMBER(12,2), CURRENCY TEXT,
            STARTS_ON DATE, ENDS_ON DATE, FIXED_PERIOD BOOLEAN, AUTO_RENEWS BOOLEAN, STATUS TEXT,
            UPDATED_AT TIMESTAMP_NTZ""",
            _licenses,
        ),
        (
            "PROJECTS",
            """PROJECT_ID TEXT, ACCOUNT_ID TEXT, NAME TEXT, STATUS TEXT, STARTS_ON DATE, ENDS_ON DATE,
            TECHNICAL VARIANT, UPDATED_AT TIMESTAMP_NTZ""",
            _projects,
        ),
        (
            "MILESTONES",
            """MILESTONE_ID TEXT, PROJECT_ID TEXT, ACCOUNT_ID TEXT, TITLE TEXT, STATUS TEXT, OWNER_EMAIL TEXT,
            STARTS_AT TIMESTAMP_TZ, DUE_AT TIMESTAMP_TZ, DONE_AT TIMESTAMP_TZ, UPDATED_AT TIMESTAMP_NTZ""",
            _milestones,
        ),
        (
            "ASSETS",
            """ASSET_ID TEXT, ACCOUNT_ID TEXT, NAME TEXT, SERIAL_NUMBER TEXT, VALUE NUMBER(12,2),
            INSTALLED_ON DATE, STATUS TEXT, SPECS VARIANT, UPDATED_AT TIMESTAMP_NTZ""",
            _assets,
        ),
        (
            "OPPORTUNITIES",
            """OPPORTUNITY_ID TEXT, ACCOUNT_ID TEXT, TITLE TEXT, STAGE TEXT, STATUS TEXT, ARR NUMBER(12,2),
            CURRENCY TEXT, LANDING_DATE DATE, CLOSE_DATE DATE, UPDATED_AT TIMESTAMP_NTZ""",
            _opportunities,
        ),
    ]
    return [
        table(f"CRM.PUBLIC.{name}", columns, rows(seed, cast, as_of), tracked=True)
        for name, columns, rows in made
    ]


def _stamp(chance: Random, who: Customer, as_of: date) -> datetime:
    """Some working hour in the last two hundred days, or on `as_of` for who signs that day."""
    age = (as_of - who.since).days
    day = as_of - timedelta(days=chance.randint(1, min(200, age)) if age > 0 else 0)
    return datetime.combine(day, time(8)) + timedelta(seconds=chance.randint(0, 36_000))


def _accounts(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        chance = dice(seed, "account", who.number)
        profile: dict[str, Any] = {
            "industry": {"name": who.sector[0], "code": who.sector[1]},
            "tier": who.tier,
            "employees": who.seats * chance.randint(3, 40),
            "billing": {
                "terms_days": chance.choice((14, 30, 60)),
                "vat": None if chance.random() < 0.2 else "registered",
            },
            "tags": sorted(
                chance.sample(("beta", "api", "sso", "on-site", "advocate"), chance.randint(0, 3))
            ),
        }
        if who.number % 90 == 17:
            profile["employees"] = "about forty"  # text where a number belongs
        yield (
            who.account_id,
            None if who.number % 300 == 15 else who.name,  # a company cannot be made without a name
            who.domain,
            PHASES[who.story],
            None if chance.random() < 0.04 else money(who.arr + chance.randint(0, 99) / 100),
            None if chance.random() < 0.05 else who.owner,
            who.locale.country,
            None if chance.random() < 0.08 else who.locale.city,
            who.since,
            None,  # the score is given in Planhat, and comes from there
            chance.random() < 0.1,
            None if chance.random() < 0.03 else variant(profile),
            _stamp(chance, who, as_of),
        )


def _contacts(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        chance = dice(seed, "contacts", who.number)
        for at, person in enumerate(people(seed, who)):
            email: str | None = person.email
            if who.number % 100 == 31 and at == 1:
                email = None
            if who.number % 100 == 42 and at == 1:
                email = f"shared.consultant@{HOME}"  # one address in several companies
            elif who.number % 100 == 43 and at == 1:
                email = f"shared.consultant@{HOME}"
            preferences = {
                "language": who.locale.language,
                "newsletter": chance.random() < 0.6,
                "channels": ["email"],
            }
            yield (
                person.person_id,
                "ACC-NOWHERE" if who.number % 300 == 12 and at == 1 else who.account_id,
                email,
                person.first_name,
                person.last_name,
                chance.choice(TITLES),
                None
                if chance.random() < 0.3
                else f"+{chance.randint(30, 99)} {chance.randint(10**7, 10**9)}",
                at == 0,
                variant(preferences),
                _stamp(chance, who, as_of),
            )


def _licenses(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        chance = dice(seed, "licenses", who.number)
        for at, product in enumerate(PRODUCTS[: 1 + (who.seats > 60) + (who.seats > 200)]):
            years = max(0, (as_of - who.since).days // 365)
            starts = who.since + timedelta(days=365 * years)
            fixed = chance.random() < 0.7
            status = "lost" if who.last_day else "ongoing"
            yield (
                f"L-{who.number + 1001}-{at + 1}",
                who.account_id,
                product,
                money(max(20, who.seats * 20 / (at + 1))),
                "SEK" if who.locale.country == "SE" else "EUR",
                starts,
                who.last_day or (starts + timedelta(days=365) if fixed else None),
                fixed,
                chance.random() < 0.8,
                status,
                _stamp(chance, who, as_of),
            )


def _project(seed: int, who: Customer) -> tuple[str, date, int] | None:
    """Id, start and number of finished steps of a customer's one project, for two customers of five."""
    chance = dice(seed, "project", who.number)
    if who.last_day or (who.story != "new" and chance.random() > 0.4):
        return None
    done = chance.randint(0, 2) if who.story == "new" else chance.randint(2, len(STEPS))
    return f"PRJ-{who.number + 1001}", who.since + timedelta(days=chance.randint(1, 10)), done


def _projects(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        project = _project(seed, who)
        if project:
            project_id, starts, done = project
            chance = dice(seed, "project details", who.number)
            technical = {"environment": {"region": chance.choice(("eu", "us")), "sso": chance.random() < 0.5},
                         "integrations": chance.randint(0, 6)}  # fmt: skip
            yield (
                project_id,
                who.account_id,
                f"{who.name}: onboarding",
                "Done" if done == len(STEPS) else "In progress",
                starts,
                starts + timedelta(days=14 * len(STEPS)),
                variant(technical),
                _stamp(chance, who, as_of),
            )


def _milestones(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        project = _project(seed, who)
        if project:
            project_id, starts, done = project
            chance = dice(seed, "milestones", who.number)
            for at, step in enumerate(STEPS):
                begins = datetime.combine(starts + timedelta(days=14 * at), time(9), UTC)
                due = begins + timedelta(days=12, hours=8)
                finished = due - timedelta(days=chance.randint(0, 4), minutes=chance.randint(0, 400))
                yield (
                    f"MS-{who.number + 1001}-{at + 1}",
                    project_id,
                    who.account_id,
                    step,
                    "done" if at < done else "open",
                    who.owner,
                    begins,
                    due,
                    finished if at < done else None,
                    _stamp(chance, who, as_of),
                )


def _assets(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        chance = dice(seed, "assets", who.number)
        for asset in assets(who):
            specs = {
                "model": chance.choice(MODELS),
                "firmware": {"version": f"4.{chance.randint(0, 9)}", "level": chance.randint(1, 9)},
            }
            yield (
                asset,
                who.account_id,
                f"{who.locale.city} {asset[-1]}",
                f"{chance.randint(0, 999_999):06d}",
                money(chance.randint(200, 4000)),
                who.since + timedelta(days=chance.randint(5, 60)),
                "retired" if who.last_day else "active",
                variant(specs),
                _stamp(chance, who, as_of),
            )  # fmt: skip


def assets(who: Customer) -> list[str]:
    """Ids of a customer's devices, unique over all customers: metrics name an asset by nothing else."""
    return [f"AST-{who.number + 1001}-{at}" for at in range(1, 1 + who.number % 4)]


def _opportunities(seed: int, cast: Sequence[Customer], as_of: date) -> Rows:
    for who in cast:
        chance = dice(seed, "opportunities", who.number)
        if who.last_day or chance.random() > (0.7 if who.story == "growing" else 0.3):
            continue
        status = chance.choices(("active", "won", "lost"), (6, 3, 2))[0]
        landing = as_of + timedelta(
            days=chance.randint(10, 120) if status == "active" else -chance.randint(5, 90)
        )
        yield (
            f"OPP-{who.number + 1001}",
            who.account_id,
            f"{who.name}: {chance.choice(PRODUCTS[1:])}",
            {"active": chance.choice(("Discovery", "Proposal")), "won": "Closed Won", "lost": "Closed Lost"}[
                status
            ],
            status,
            money(max(500, who.seats * chance.randint(20, 120))),
            "EUR",
            landing,
            None if status == "active" else landing,
            _stamp(chance, who, as_of),
        )
