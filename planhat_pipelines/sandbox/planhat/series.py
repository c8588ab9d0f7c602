"""Metrics: points that are only ever appended. Runs in the store's thread.

Source: Planhat developers, metrics. That a repeated day adds a point follows from the support pages: sum or last.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines.sandbox.planhat.bulk import Tamper
from planhat_pipelines.sandbox.planhat.lists import whole
from planhat_pipelines.sandbox.planhat.store import Doc, Store, as_doc, iso_ms, many
from planhat_pipelines.sandbox.planhat.switches import Switches

DAY_MS = 86_400_000
CARRIERS = {model.parent: model.path for model in MODELS.values() if model.metrics}
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_READ_MAX = 10_000


class Metrics:
    """The points in a store."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store, self._db, self._switches = store, store.db, switches
        self.forget()

    def forget(self) -> None:
        """Drop what is kept in memory, after a reset."""
        self._targets: dict[str, int] | None = None
        self._dimensions: dict[str, int] = {}

    def push(self, items: list[Any], tamper: Tamper | None = None) -> int:
        """Append what has a target; the rest is dropped in silence. Gives the number stored."""
        points = [point for item in items if (point := as_doc(item)) is not None]
        dropped: list[tuple[str, Any]] = [("not an object", item) for item in items if as_doc(item) is None]
        targets = self._resolve(points)
        now = time.time_ns() // 1_000_000
        moments: dict[str | None, int | None] = {None: now}
        rows: list[tuple[int, int, int, int, float, int]] = []
        for position, point in enumerate(points):
            target, when = targets.get(_target(point)), point.get("date")
            dimension, value = point.get("dimensionId"), point.get("value")
            if isinstance(when, str) and when not in moments:
                moments[when] = moment(when)
            ms = moments[when] if isinstance(when, str | None) else None
            if tamper and tamper(position, point):
                dropped.append(("dropped on order", point))
            elif not isinstance(dimension, str) or not dimension:
                dropped.append(("dimensionId is missing", point))
            elif not isinstance(value, int | float) or isinstance(value, bool):
                dropped.append(("value is missing or no number", point))
            elif ms is None:
                dropped.append(("date cannot be read", point))
            elif target is None:
                dropped.append((_unmatched(point), point))
            else:
                did = self._dimensions.get(dimension) or self._dimension(dimension)
                rows.append((target, did, ms // DAY_MS, ms, value, now))
        self._db.executemany(
            "insert into points (tid, did, day, ms, value, received) values (?, ?, ?, ?, ?, ?)", rows
        )
        if dropped:
            self._store.drop("metric", dropped)
        return len(rows)

    def _resolve(self, points: list[Doc]) -> dict[tuple[str, str], int]:
        """Targets by model and externalId; any one where several records share it."""
        wanted: dict[str, set[str]] = {}
        for model, key in {_target(point) for point in points}:
            if model in CARRIERS and key:
                wanted.setdefault(model, set()).add(key)
        if self._targets is None:
            self._targets = dict(self._db.execute("select record, tid from targets").fetchall())
        found: dict[tuple[str, str], int] = {}
        for model, keys in wanted.items():
            rows = self._db.execute(
                f'select external, id, company from "{CARRIERS[model]}" '
                "where external in (select value from json_each(?)) order by id desc",
                (many(keys),),
            ).fetchall()
            for external, record, company in rows:
                tid = self._targets.get(record)
                if tid is None:
                    tid = self._targets[record] = len(self._targets) + 1
                    self._db.execute(
                        "insert into targets values (?, ?, ?, ?, ?)",
                        (tid, model, record, company or record, external),
                    )
                found[model, external] = tid
        return found

    def _dimension(self, name: str) -> int:
        self._db.execute("insert or ignore into dimensions (name) values (?)", (name,))
        (did,) = self._db.execute("select did from dimensions where name = ?", (name,)).fetchone()
        self._dimensions[name] = did
        return did

    def read(self, query: Mapping[str, str]) -> tuple[bytes, int]:
        """`GET /dimensiondata`: cId, dimid, from and to as day numbers, limit, offset."""
        tests, values = (
            ["received <= ?"],
            [time.time() * 1000 - 1000 * self._switches["metrics_delay_seconds"]],
        )
        if query.get("cId"):
            tests.append("p.tid in (select tid from targets where company = ?)")
            values.append(cast("Any", query["cId"]))
        if query.get("dimid"):
            tests.append("p.did = (select did from dimensions where name = ?)")
            values.append(cast("Any", query["dimid"]))
        for name, test in (("from", "p.day >= ?"), ("to", "p.day <= ?")):
            day = whole(query.get(name), -1)
            if day >= 0:
                tests.append(test)
                values.append(day)
        limit = min(whole(query.get("limit"), 100) or 100, _READ_MAX)
        rows = self._db.execute(
            "select p.seq, d.name, p.ms, p.value, t.model, t.record, t.company, "
            "(select json_extract(doc, '$.name') from companies where id = t.company) "
            "from points p join targets t on t.tid = p.tid join dimensions d on d.did = p.did "
            f"where {' and '.join(tests)} order by p.seq limit ? offset ?",
            (*values, limit, whole(query.get("offset"), 0)),
        )
        names = ("dimensionId", "time", "value", "model", "parentId", "companyId", "companyName")
        items = [
            {"_id": f"{seq:024x}", **dict(zip(names, (name, iso_ms(ms), *rest), strict=True))}
            for seq, name, ms, *rest in rows
        ]
        return orjson.dumps(items), len(items)

    # views for people and tests

    def of_record(self, record: str) -> list[Doc]:
        """Every point of one record, oldest day first, with the externalId that found it."""
        rows = self._db.execute(
            "select d.name, t.model, t.external, p.day, p.ms, p.value, p.received from points p "
            "join targets t on t.tid = p.tid join dimensions d on d.did = p.did where t.record = ? "
            "order by d.name, p.ms, p.seq",
            (record,),
        )
        names = ("dimension", "model", "externalId", "day", "time", "value", "received")
        points = [dict(zip(names, row, strict=True)) for row in rows]
        return [
            point | {"time": iso_ms(point["time"]), "received": iso_ms(point["received"])} for point in points
        ]

    def digest(self, *, full: bool) -> Doc:
        """How many points there are and a hash over all of (dimension, model, externalId, day, value, count)."""
        rows = self._db.execute(
            "select d.name, t.model, t.external, p.day, p.value, count(*) from points p "
            "join targets t on t.tid = p.tid join dimensions d on d.did = p.did "
            "group by p.tid, p.did, p.day, p.value order by d.name, t.model, t.external, p.day, p.value"
        ).fetchall()
        digest = hashlib.sha256(orjson.dumps([(*row[:4], float(row[4]), row[5]) for row in rows])).hexdigest()
        odd = [
            name for (name,) in self._db.execute("select name from dimensions") if not _PLAIN.fullmatch(name)
        ]
        found: Doc = {
            "count": sum(row[5] for row in rows),
            "distinct": len(rows),
            "hash": digest,
            "odd_names": odd,
        }
        if full:
            found["points"] = rows
        return found


def _target(point: Doc) -> tuple[str, str]:
    """Model and externalId; an empty one where there is no text."""
    model, key = point.get("model") or "Company", point.get("externalId")
    return (model if isinstance(model, str) else "", key if isinstance(key, str) else "")


def _unmatched(point: Doc) -> str:
    model, key = _target(point)
    if model not in CARRIERS:
        return f"no metrics on {point.get('model')}"
    return f"no {model} has this externalId" if key else "externalId is missing"


def moment(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO date or date-time; None when it is neither."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
