"""What a sync asks Planhat beforehand and afterwards: targets, custom fields, stored points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import polars as pl

from planhat_pipelines.planhat import reading
from planhat_pipelines.planhat.catalogue import MODELS, Model
from planhat_pipelines.planhat.client import Planhat

_TARGET: Sequence[str] = ("_id", "externalId", "sourceId", "email", "companyId")
_POINT = {"dimensionId": "dimension", "model": "model", "parentId": "target", "companyId": "company"}
_POINTS_PAGE = 10_000


def targets(client: Planhat, model: Model) -> pl.DataFrame:
    """_id, externalId, sourceId, email and companyId of all records of a model: text, null where absent.

    What a row may point to. Companies have a light list of their own (Planhat developers, `/leancompanies`).
    """
    if model.name == "company":
        path, fields = "/leancompanies", {}
    else:
        path, fields = (
            f"/{model.path}",
            {"select": ",".join(name for name in _TARGET if name in model.fields)},
        )
    pages = client.rows(path, {**fields, "sort": "_id"}, model.page_max)
    frames = [reading.frame(page, _TARGET, model.fields) for page in pages]
    return pl.concat([reading.frame((), _TARGET, model.fields), *frames])


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that the tenant added to a model. Source: Planhat developers, custom field."""

    name: str
    type: str
    values: tuple[str, ...]  # of a list or multipicklist
    formula: bool  # computed by Planhat, never written
    mandatory: bool  # a record can't be created without it
    hidden: bool
    locked: bool  # not editable in the app


def custom_fields(client: Planhat, model: Model) -> list[CustomField]:
    """The custom fields of a model. `parent` is compared without case and spaces: both spellings were seen."""
    catalogue = MODELS["custom_field"]
    parent = _folded(model.parent)
    return [
        CustomField(
            name=str(row.get("name")),
            type=str(row.get("type")),
            values=tuple(str(value) for value in cast("list[Any]", row.get("listValues") or [])),
            formula=row.get("isFormula") is True,
            mandatory=row.get("isMandatory") is True,
            hidden=row.get("isHidden") is True,
            locked=row.get("isLocked") is True,
        )
        for page in client.rows(f"/{catalogue.path}", {"sort": "_id"}, catalogue.page_max)
        for row in page
        if _folded(str(row.get("parent"))) == parent
    ]


def _folded(parent: str) -> str:
    return parent.replace(" ", "").casefold()


def points(client: Planhat, dimension: str, first_day: int, last_day: int) -> pl.DataFrame:
    """The points of a metric, of all targets, from one day to another (since 1970-01-01, both included).

    Columns: dimension, model, target (_id of the record), company (_id), day (Int32, in UTC), value (Float64).
    """
    params = {"dimid": dimension, "from": str(first_day), "to": str(last_day), "sort": "_id"}
    found = [
        (*(reading.text(row.get(name)) for name in _POINT), _day(row.get("time")), row.get("value"))
        for page in client.rows("/dimensiondata", params, _POINTS_PAGE)
        for row in page
    ]
    schema = {**dict.fromkeys(_POINT.values(), pl.String), "day": pl.Int32, "value": pl.Float64}
    frame = pl.DataFrame(found, schema=schema, orient="row", strict=False)
    return frame.filter(pl.col("dimension") == dimension, pl.col("day").is_between(first_day, last_day))


def _day(time: Any) -> int | None:
    """The UTC day of a point's time: ISO text, or days or milliseconds since 1970-01-01."""
    if isinstance(time, int | float):
        return int(time) if time < 1_000_000 else int(time // 86_400_000)
    try:
        return (date.fromisoformat(str(time)[:10]) - date(1970, 1, 1)).days
    except ValueError:
        return None
