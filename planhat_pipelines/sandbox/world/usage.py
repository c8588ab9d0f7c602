"""The product's own tables: seats a day, user events, device hours. Each day follows from seed and date.

Row keys come from a sequence that is not handed out in order: the last day of every delivery holds one row
back, which arrives the day after with a key below those already there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from planhat_pipelines.sandbox.world.crm import assets
from planhat_pipelines.sandbox.world.customers import DECLINE_DAYS, Customer, Person, people
from planhat_pipelines.sandbox.world.dice import dice
from planhat_pipelines.sandbox.world.tables import Table, money, table, variant

SEAT_COLUMNS = """ROW_ID NUMBER(38,0), ACCOUNT_ID TEXT, USAGE_DATE DATE, ACTIVE_SEATS NUMBER(10,0),
    API_CALLS NUMBER(12,0), PAYLOAD VARIANT"""
EVENT_COLUMNS = """EVENT_ID NUMBER(38,0), USER_ID TEXT, EMAIL TEXT, ACCOUNT_ID TEXT, ACTION TEXT,
    WEIGHT NUMBER(6,0), HAPPENED_AT TIMESTAMP_TZ, DETAILS VARIANT"""
DEVICE_COLUMNS = """ROW_ID NUMBER(38,0), ASSET_ID TEXT, ACCOUNT_ID TEXT, USAGE_DATE DATE,
    UPTIME_HOURS NUMBER(5,2), ERRORS NUMBER(8,0), PAYLOAD VARIANT"""

ACTIONS = (("Signed in", 1, 8), ("Opened dashboard", 1, 9), ("Exported report", 3, 4), ("Ran import", 2, 3),
           ("Invited colleague", 5, 1), ("Changed settings", 1, 2))  # fmt: skip
_WEEK = (1.0, 1.06, 1.04, 1.0, 0.9, 0.22, 0.16)  # Monday first
_EPOCH = date(2020, 1, 1)
_DAY_KEYS = 10_000  # keys a day: the sequence has gaps, as sequences do
_DEVICE_DAYS = 30


def tables(seed: int, cast: Sequence[Customer], as_of: date, days: Sequence[date]) -> list[Table]:
    """Usage of these days, without the row that is late on the last, with the one late the day before."""
    late, last = days[0] - timedelta(days=1), days[-1]
    seats = [row for day in days for row in _seats(seed, cast, as_of, day)]
    events = [row for day in days for row in _events(seed, cast, as_of, day)]
    devices = [row for day in days[-_DEVICE_DAYS:] for row in _devices(seed, cast, as_of, day)]
    seats.remove(_held_back(list(_seats(seed, cast, as_of, last))))
    if late >= as_of - timedelta(days=1):  # before that, everything has arrived
        seats.append(_held_back(list(_seats(seed, cast, as_of, late))))
    return [
        table("PRODUCT.PUBLIC.DAILY_SEATS", SEAT_COLUMNS, seats, tracked=False),
        table("PRODUCT.PUBLIC.EVENTS", EVENT_COLUMNS, events, tracked=False),
        table("PRODUCT.PUBLIC.DEVICE_USAGE", DEVICE_COLUMNS, devices, tracked=False),
    ]


def _held_back(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    return rows[-4]


def _first_key(day: date) -> int:
    return ((day - _EPOCH).days) * _DAY_KEYS


def activity(who: Customer, as_of: date, day: date) -> float:
    """Share of a customer's seats in use that day, about 0 to 1.3; 0 when it was no customer then."""
    if day < who.first_day or (who.last_day and day > who.last_day):
        return 0.0
    ago = (as_of - day).days
    week = _WEEK[day.weekday()]
    match who.story:
        case "steady":
            return 0.75 * week
        case "growing":
            return (1.15 - 0.006 * min(90, ago)) * week
        case "declining":
            return 0.8 * week * (1.0 if ago > DECLINE_DAYS else max(0.1, 0.3 + 0.7 * ago / DECLINE_DAYS))
        case "churned":
            left = ((who.last_day or day) - day).days
            return 0.7 * week * min(1.0, 0.1 + left / 40)
        case "new":
            return min(0.9, 0.15 + 0.05 * (day - who.first_day).days) * week


def _seats(seed: int, cast: Sequence[Customer], as_of: date, day: date) -> Iterator[tuple[Any, ...]]:
    chance = dice(seed, "seats", day)
    key = _first_key(day)
    for who in cast:
        share, noise = activity(who, as_of, day), chance.uniform(0.9, 1.1)
        if not share:
            continue
        active = max(1, round(who.seats * share * noise)) if share > 0.02 else 0
        calls = active * chance.randint(5, 60)
        minutes = active * chance.randint(12, 95)
        payload: dict[str, Any] = {
            "minutes": {"total": minutes, "per_seat": round(minutes / max(1, active), 1)},
            "features": {"reports": calls // 9, "imports": calls // 40},
            "storage_gb": round(who.seats * 0.4 + chance.random(), 2),
        }
        yield (key + who.number + 1, who.account_id, day, active, calls, variant(payload))
    key += _DAY_KEYS - 20
    if day == as_of - timedelta(days=2):  # what no warehouse is free of
        text = {
            "minutes": {"total": "n/a", "per_seat": None},
            "features": {"reports": "many"},
            "storage_gb": 1.5,
        }
        yield (key, cast[0].account_id, day, 3, 40, variant(text))
        yield (key + 1, "ACC-UNKNOWN", day, 7, 90, variant({"minutes": {"total": 70}}))
        yield (key + 2, cast[1].account_id, None, 4, 55, variant({"minutes": {"total": 41}}))
        yield (key + 3, None, day, 1, 2, None)


def _events(seed: int, cast: Sequence[Customer], as_of: date, day: date) -> Iterator[tuple[Any, ...]]:
    chance = dice(seed, "events", day)
    key = _first_key(day)
    midnight = datetime.combine(day, time(), UTC)
    names, weights = [(name, weight) for name, weight, _ in ACTIONS], [often for *_, often in ACTIONS]
    happened: list[tuple[datetime, Person, str, int, dict[str, Any]]] = []
    for who in cast:
        share = activity(who, as_of, day)
        if chance.random() > share * 0.45:
            continue
        crowd = list(people(seed, who))
        for _ in range(chance.randint(1, 2)):
            moment = midnight + timedelta(
                seconds=round(chance.triangular(6, 20, 9.5) * 3600), milliseconds=chance.randint(0, 999)
            )
            action, weight = chance.choices(names, weights)[0]
            details = {
                "client": chance.choice(("web", "mobile", "api")),
                "took": {"ms": chance.randint(20, 4000)},
            }
            happened.append((moment, chance.choice(crowd), action, weight, details))
    for at, (moment, person, action, weight, details) in enumerate(
        sorted(happened, key=lambda event: event[0])
    ):
        yield (
            key + at,
            person.person_id,
            person.email,
            person.customer.account_id,
            action,
            weight,
            moment,
            variant(details),
        )
    key += _DAY_KEYS - 20
    if day == as_of - timedelta(days=2):
        noon = midnight + timedelta(hours=12)
        yield (key, "P-UNKNOWN", "nobody@nowhere.example", "ACC-UNKNOWN", "Signed in", 1, noon, variant({}))
        yield (key + 1, None, None, cast[0].account_id, "Signed in", 1, noon, variant({"client": "web"}))
        yield (
            key + 2,
            "P-1001-1",
            None,
            cast[0].account_id,
            "Exported report",
            3,
            None,
            variant({"took": {"ms": "slow"}}),
        )


def _devices(seed: int, cast: Sequence[Customer], as_of: date, day: date) -> Iterator[tuple[Any, ...]]:
    chance = dice(seed, "devices", day)
    key = _first_key(day)
    for who in cast:
        share = activity(who, as_of, day)
        for asset in assets(who) if share else []:
            hours = min(2400, round(chance.uniform(0.6, 1.1) * min(1.0, share + 0.2) * 2400))
            payload = {
                "temperature": {"max": round(chance.gauss(41, 6), 1)},
                "restarts": chance.randint(0, 2),
            }
            key += 1
            yield (
                key,
                asset,
                who.account_id,
                day,
                money(hours / 100),
                chance.choice((0, 0, 0, 1, 2)),
                variant(payload),
            )
    if day == as_of - timedelta(days=2):
        yield (
            key + 1,
            "AST-UNKNOWN",
            cast[0].account_id,
            day,
            money(3.5),
            0,
            variant({"temperature": {"max": "hot"}}),
        )
