"""What the admin view and the page show of the data, read in the store's thread."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from planhat_pipelines.planhat.catalogue import MODELS, Model
from planhat_pipelines.sandbox.planhat.store import COLLECTIONS, Doc, iso_ms
from planhat_pipelines.sandbox.planhat.world import World

_SEARCHED = ("name", "email", "title", "action", "subject", "externalId", "sourceId")


class Views:
    """Read-only looks at a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._db = world.store.db

    def counts(self) -> Doc:
        """How much there is of everything."""
        tables = {model.path: model.name for model in reversed(list(MODELS.values()))}
        records = {tables[collection]: self._count(collection) for collection in COLLECTIONS}
        others = {name: self._count(name) for name in ("points", "activities", "dropped")}
        return {"records": records, **others}

    def summary(self) -> Doc:
        """The figures above the list of customers."""
        statuses = self._db.execute(
            "select json_extract(doc, '$.status'), count(*) from companies group by 1"
        ).fetchall()
        (arr,) = self._db.execute("select sum(json_extract(doc, '$.arr')) from companies").fetchone()
        names = ("companies", "endusers", "points", "activities")
        return {"by_status": dict(statuses), "arr": arr or 0, **{name: self._count(name) for name in names}}

    def _count(self, table: str) -> int:
        return self._db.execute(f'select count(*) from "{table}"').fetchone()[0]

    def records(self, model: Model, *, text: str, company: str, sort: str, limit: int, offset: int) -> Doc:
        """Records of a model, archived ones too, with the total; `text` is looked for in names and keys."""
        tests, values = ["1"], list[Any]()
        if text:
            tests.append(f"({' or '.join(_EXTRACT.format(name) + ' like ?' for name in _SEARCHED)})")
            values.extend([f"%{text}%"] * len(_SEARCHED))
        if company:
            tests.append(
                "(company = ? or exists (select 1 from json_each(doc, '$.companyIds') where value = ?))"
            )
            values.extend([company, company])
        if model.name == "note":
            tests.append("json_extract(doc, '$.type') = 'note'")
        where = " and ".join(tests)
        name, way = sort.removeprefix("-"), "desc" if sort.startswith("-") else "asc"
        order = "json_extract(doc, ?) " + way + ", id" if name else "id"
        path = [f'$."{name}"'] if name else []
        total = self._db.execute(f'select count(*) from "{model.path}" where {where}', values).fetchone()[0]
        rows = self._db.execute(
            f'select doc from "{model.path}" where {where} order by {order} limit ? offset ?',
            (*values, *path, limit, offset),
        )
        return {"total": total, "records": [orjson.loads(doc) for (doc,) in rows]}

    def digest(self, model: Model) -> Doc:
        """The number of records and a hash over their fields, without ids, versions and stamps."""
        left_out = {"_id", "__v", model.created_stamp, model.updated_stamp, model.company_field}
        lines = sorted(
            orjson.dumps(
                {k: v for k, v in orjson.loads(doc).items() if k not in left_out}, option=orjson.OPT_SORT_KEYS
            )
            for (doc,) in self._db.execute(f'select doc from "{model.path}"')
        )
        return {"count": len(lines), "hash": hashlib.sha256(b"\n".join(lines)).hexdigest()}

    def company(self, id: str) -> Doc:
        """A company with how many records of each model it has, and its metric curves."""
        counts: dict[str, int] = {}
        for model in MODELS.values():
            if model.company_field and model.name != "note":
                test = "company = ?"
                if model.company_field == "companyIds":
                    test = "exists (select 1 from json_each(doc, '$.companyIds') where value = ?)"
                row = self._db.execute(f'select count(*) from "{model.path}" where {test}', (id,))
                counts[model.name] = row.fetchone()[0]
        curves: dict[str, list[Any]] = {}
        rows = self._db.execute(
            "select d.name, p.day, sum(p.value), count(*) from points p join dimensions d on d.did = p.did "
            "where p.tid in (select tid from targets where record = ?) group by p.did, p.day order by d.name, p.day",
            (id,),
        )
        for name, day, total, count in rows:
            curves.setdefault(name, []).append([day, total, count])
        activities = self._db.execute("select count(*) from activities where company = ?", (id,)).fetchone()[
            0
        ]
        return {
            "record": self._world.records.get("companies", id),
            "counts": counts,
            "curves": curves,
            "activities": activities,
        }

    def points(self, model: Model, id: str) -> Doc:
        """Every point of one record (by id or `extid-`), and those that were dropped for its externalId."""
        doc = self._world.records.get(model.path, id)
        dropped = self._db.execute(
            "select reason, item from dropped where kind = 'metric' and json_extract(item, '$.externalId') = ?",
            (doc.get("externalId"),),
        )
        return {
            "points": self._world.metrics.of_record(doc["_id"]),
            "dropped": [{"reason": reason, "item": orjson.loads(item)} for reason, item in dropped],
        }

    def activities(self, company: str, limit: int) -> list[Doc]:
        """The newest activities, of one company or of all, with the enduser's name."""
        test, values = ("a.company = ?", [company]) if company else ("1", [])
        rows = self._db.execute(
            "select a.seq, a.enduser, a.company, a.doc, json_extract(e.doc, '$.name'), e.email from activities a "
            f"left join endusers e on e.id = a.enduser where {test} order by a.ms desc, a.seq desc limit ?",
            (*values, limit),
        )
        names = ("seq", "enduser", "company", "activity", "name", "email")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [one | {"activity": orjson.loads(one["activity"])} for one in found]

    def dropped(self, *, kind: str, limit: int, offset: int) -> Doc:
        """What vanished in silence, newest first, and how often for each reason."""
        test, values = ("kind = ?", [kind]) if kind else ("1", [])
        reasons = self._db.execute(
            f"select kind, reason, count(*) from dropped where {test} group by kind, reason "
            "order by count(*) desc",
            values,
        ).fetchall()
        rows = self._db.execute(
            f"select at, kind, reason, item from dropped where {test} order by seq desc limit ? offset ?",
            (*values, limit, offset),
        )
        return {
            "total": sum(row[2] for row in reasons),
            "reasons": [{"kind": kind, "reason": reason, "count": count} for kind, reason, count in reasons],
            "items": [
                {"at": iso_ms(at), "kind": kind, "reason": reason, "item": orjson.loads(item)}
                for at, kind, reason, item in rows
            ],
        }


_EXTRACT = "json_extract(doc, '$.{0}')"
