"""The cast: who the customers are, what happens to each in the ninety days, and who works there.

A customer is a pure function of the seed and its number, so that a larger world begins with the smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from planhat_pipelines.sandbox.world.dice import dice
from planhat_pipelines.sandbox.world.names import LOCALES, Locale

Story = Literal["steady", "growing", "declining", "churned", "new"]

DAYS = 90  # of usage before `as_of`
DECLINE_DAYS = 30
SECTORS = (("Logistics", 4911), ("Energy", 3511), ("Food", 1071), ("Software", 6201), ("Health", 8610))
TIERS = ("Enterprise", "Mid-market", "Small business")
OWNERS = ("astrid.holm", "ben.okafor", "chiara.rossi", "dev.patel", "emi.tanaka", "left.colleague")
HOME = "tidewater.example"  # the software company itself

# Twenty places in the cast; every story is told at the smallest scale.
_PLOT: tuple[Story, ...] = (
    *(
        "steady",
        "growing",
        "steady",
        "declining",
        "steady",
        "growing",
        "churned",
        "steady",
        "growing",
        "steady",
    ),
    *(
        "declining",
        "steady",
        "growing",
        "new",
        "steady",
        "growing",
        "steady",
        "declining",
        "steady",
        "churned",
    ),
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer. `first_day` and `last_day` bound its usage; `arr` is in whole currency units a year."""

    number: int
    account_id: str
    name: str
    domain: str
    locale: Locale
    story: Story
    seats: int
    since: date
    first_day: date
    last_day: date | None
    owner: str
    sector: tuple[str, int]
    tier: str

    @property
    def arr(self) -> int:
        return 0 if self.last_day else self.seats * 240

    @property
    def in_planhat(self) -> bool:
        """Whether the tenant holds the company before anything is synced; one in six is still to come."""
        return self.story != "new" and self.number % 6 != 5


@dataclass(frozen=True, slots=True)
class Person:
    person_id: str
    customer: Customer
    first_name: str
    last_name: str
    email: str


def customer(seed: int, number: int, as_of: date, signed: date | None = None) -> Customer:
    """Customer `number`; one `signed` on a given day uses the product from three days before."""
    chance = dice(seed, "customer", number)
    locale = LOCALES[number % len(LOCALES)]
    turn = number // len(LOCALES)
    sector_at = (turn + number) % len(locale.trades)
    stem = locale.stems[(turn // len(locale.trades)) % len(locale.stems)]
    trade = locale.trades[sector_at]
    repeat = turn // (len(locale.trades) * len(locale.stems))  # the names ran out: branches
    suffix = f" {repeat + 1}" if repeat else ""
    story: Story = "new" if signed else _PLOT[number % len(_PLOT)]
    seats = int(min(900, max(4, chance.lognormvariate(3.6, 1.0))))
    since = as_of - timedelta(days=chance.randint(200, 2500))
    first_day = as_of - timedelta(days=DAYS)
    last_day = None
    if signed:
        since, first_day = signed, signed - timedelta(days=3)
    elif story == "new":
        since = first_day = as_of - timedelta(days=chance.randint(5, 25))
    elif story == "churned":
        last_day = as_of - timedelta(days=chance.randint(20, 70))
    legacy = number % 10 == 4  # from the first billing system: digits with leading zeros
    return Customer(
        number=number,
        account_id=f"{number * 37 + 411:08d}" if legacy else f"ACC-{number + 1001}",
        name=locale.company.format(stem=stem.native, trade=trade.native) + suffix,
        domain=f"{stem.ascii}-{trade.ascii}{repeat + 1 if repeat else ''}.{locale.country.lower()}.example",
        locale=locale,
        story=story,
        seats=seats,
        since=since,
        first_day=first_day,
        last_day=last_day,
        owner=f"{OWNERS[number % len(OWNERS)]}@{HOME}",
        sector=SECTORS[sector_at],
        tier=TIERS[0 if seats > 120 else 1 if seats > 30 else 2],
    )


def people(seed: int, who: Customer) -> Iterator[Person]:
    """The contacts of a customer: two to six, more where there are more seats."""
    chance = dice(seed, "people", who.number)
    names = [(given, family) for given in who.locale.given for family in who.locale.family]
    chosen = chance.sample(names, min(6, 2 + who.seats // 25))
    for at, (given, family) in enumerate(chosen, start=1):
        mail = f"{given.ascii}.{family.ascii}@{who.domain}"
        yield Person(f"P-{who.number + 1001}-{at}", who, given.native, family.native, mail)
