"""The whole world, and what each next day adds to it. Pure: the same arguments give the same content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from planhat_pipelines.sandbox.world import crm, drops, tenant, usage
from planhat_pipelines.sandbox.world.customers import DAYS, Customer, customer
from planhat_pipelines.sandbox.world.tables import Table, money

CUSTOMERS = 300
_MOST = 9_000  # customers; beyond, a day of rows would run into the keys of the next


@dataclass(frozen=True, slots=True)
class World:
    """Data up to the day before `as_of`. `drops` is key to content; `records` is Planhat's, by model."""

    seed: int
    as_of: date
    cast: tuple[Customer, ...] = field(repr=False)
    tables: tuple[Table, ...] = field(repr=False)
    drops: Mapping[str, bytes] = field(repr=False)
    custom_fields: tuple[tenant.Record, ...] = field(repr=False)
    records: Mapping[str, list[tenant.Record]] = field(repr=False)

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


@dataclass(frozen=True, slots=True)
class NextDay:
    """What one day brings: new rows, changed accounts, new files, and edits that people make in Planhat."""

    day: date
    new: tuple[Table, ...] = field(repr=False)
    changed: Mapping[str, Mapping[str, Any]] = field(repr=False)  # columns of ACCOUNTS by ACCOUNT_ID
    drops: Mapping[str, bytes] = field(repr=False)
    edits: tuple[tenant.Record, ...] = field(repr=False)  # companies, by externalId


def build(as_of: date, *, seed: int = 7, scale: float = 1.0) -> World:
    """The world on `as_of`: at `scale` 1 some 300 customers, 25,000 usage rows and 10,000 events."""
    count = round(CUSTOMERS * scale)
    if not 20 <= count <= _MOST:
        raise ValueError(f"scale {scale:g} gives {count} customers; the world holds 20 to {_MOST}")
    cast = tuple(customer(seed, number, as_of) for number in range(count))
    days = [as_of - timedelta(days=ago) for ago in range(DAYS, 0, -1)]
    newcomers = _newcomers(seed, cast, as_of, days[-1])
    return World(
        seed=seed,
        as_of=as_of,
        cast=cast,
        tables=(
            *crm.tables(seed, cast, as_of),
            *usage.tables(seed, (*cast, *newcomers), as_of, days),
        ),
        drops=drops.first_drops(seed, cast, as_of),
        custom_fields=tuple(tenant.custom_fields()),
        records=tenant.records(seed, cast, as_of),
    )


def next_day(world: World, number: int = 1) -> NextDay:
    """The `number`-th day after the world was built (1 is `as_of` itself).

    - a company signs whose usage was already there, so that what was parked can go
    - usage of the day, and one row of the day before with a key below those already read
    - changed accounts, and what people change in Planhat: other fields of the same customers, and one field of one
      customer that both change
    """
    day = world.as_of + timedelta(days=number - 1)
    newcomers = _newcomers(world.seed, world.cast, world.as_of, day)
    cast = (*world.cast, *newcomers)
    signed = [who for who in newcomers if who.since == day]
    added = [table for table in crm.tables(world.seed, signed, day) if table.rows.height]
    changed, edits = _changes(world, number, day)
    return NextDay(
        day=day,
        new=(*added, *usage.tables(world.seed, cast, world.as_of, [day])),
        changed=changed,
        drops={drops.device_log_key(day): drops.device_log(world.seed, cast, world.as_of, day)},
        edits=edits,
    )


def _newcomers(seed: int, cast: tuple[Customer, ...], as_of: date, day: date) -> list[Customer]:
    """One signs each day from `as_of` on and uses the product from three days before: those that do so by `day`."""
    ahead = (day - as_of).days + 3
    return [
        customer(seed, len(cast) + later, as_of, signed=as_of + timedelta(days=later))
        for later in range(ahead + 1)
    ]


def _changes(
    world: World, number: int, day: date
) -> tuple[dict[str, dict[str, Any]], tuple[tenant.Record, ...]]:
    """Four customers that differ from day to day. The last one's phase is changed on both sides, to different ones.

    On the first day no company has the score 5 or one of these phases and cities, so that each of it is a change.
    """
    known = [who for who in world.cast if who.in_planhat and who.story == "steady"]
    upgraded, moved, visited, disputed = (known[(4 * number + at) % len(known)].account_id for at in range(4))
    arr = {who.account_id: who.arr for who in known}
    stamp = {"UPDATED_AT": datetime.combine(day, time(8))}
    changed: dict[str, dict[str, Any]] = {
        upgraded: {"PHASE": "Expansion", "ARR": money(arr[upgraded] * 1.25), **stamp},
        moved: {"CITY": "Reykjavík", "IS_REFERENCE": number % 2 == 1, **stamp},
        disputed: {"PHASE": "Renewal", **stamp},
    }
    edits: tuple[tenant.Record, ...] = (
        {"externalId": upgraded, "csmScore": 5},
        {"externalId": visited, "city": "Umeå", "csmScore": 5},
        {"externalId": disputed, "phase": "Negotiation"},
    )
    return changed, edits
