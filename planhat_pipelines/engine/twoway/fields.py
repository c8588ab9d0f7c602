"""The fields that travel: what each is called on either side, and how its values are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from planhat_pipelines.engine.syncs.contract import compiled
from planhat_pipelines.engine.twoway.decide import Flow
from planhat_pipelines.mapping.canonical import Form, fingerprints, holds
from planhat_pipelines.mapping.values import Value, ValueType
from planhat_pipelines.planhat.lookups import CustomField
from planhat_pipelines.snowflake.tables import Column, Table, resolve
from planhat_pipelines.spec.records import RecordsSpec, TableField

GONE = "(gone)"
"""Stands among the fields of a base for what is there no longer: 1 for the record, LEFT for the row, else 0."""

LEFT = 2

ID = "(id)"
"""Stands among the fields of a base for the fingerprint of the record's `_id`. What both sides agreed on does not hold
for another record of the same key, be it made by people or by a run that did not know that the first one was gone."""


@dataclass(frozen=True, slots=True)
class Side:
    """One field. `label`: its name in Planhat, with `custom.` where it is the tenant's own. `column`: where its value
    goes in Snowflake, None for one that is only sent. `sent`: its place among the fields that are sent, None for one
    that only comes back."""

    label: str
    flow: Flow
    form: Form
    column: str | None = None
    sent: int | None = None


def sides(
    spec: RecordsSpec, custom_fields: Sequence[CustomField], shape: Mapping[str, Column], table: Table
) -> list[Side]:
    """The mapped fields in their order, and the company last where one is mapped. Raises MappingError, NotFound."""
    model, sent = spec.planhat_model, spec.sent
    kinds: dict[str, ValueType] = {
        each.label: each.kind
        for part in (sent, [each for each in spec.fetched if each not in sent])
        for each in compiled(spec.name, model, part, custom_fields, written=part is sent)
    }
    found = [
        Side(
            each.field,
            spec.flow(each),
            _form(each, kinds[each.field], shape, table),
            each.column if spec.flow(each) != "to_planhat" else None,
            sent.index(each) if each in sent else None,
        )
        for each in spec.fields
    ]
    if spec.company and model.company_field and sent:
        found.append(Side(model.company_field, "to_planhat", Form("text", "text")))
    return found


def theirs(records: pl.DataFrame, key: str, fields: Sequence[Side], company: str | None) -> pl.DataFrame:
    """Planhat's records that have the key, as `key`: with `stamp`, `pid` (fingerprint of `_id`), `whose` (the value of
    the field `company`), and of the `fields` in their order the canonical texts `v0`, `v1` ... and fingerprints `p0`,
    `p1` ... `records` has their values as text."""
    whose = pl.col(company) if company else pl.lit(None, pl.String)
    texts = [each.form.of_planhat(pl.col(each.label)).alias(f"v{at}") for at, each in enumerate(fields)]
    keyed = records.filter(pl.col(key).is_not_null())
    found = keyed.select(pl.col(key).alias("key"), "_id", "stamp", whose.alias("whose"), *texts)
    prints = [_hashed(found, f"v{at}", f"p{at}", each.form) for at, each in enumerate(fields)]
    return found.hstack([fingerprints(found["_id"]).rename("pid"), *prints]).drop("_id")


def ours(rows: pl.DataFrame, values: Sequence[Value], fields: Sequence[Side]) -> pl.DataFrame:
    """Mapped rows with `w0`, `w1` ... and `s0`, `s1` ... like `theirs`. `values`: of the fields that are sent. Of those
    that only come back, Snowflake's value does not count."""
    texts = [pl.lit(None, pl.String)] * len(fields)
    for at, each in enumerate(fields):
        if each.sent is not None:
            texts[at] = each.form.of_value(values[each.sent])
        elif each.flow == "to_planhat":
            texts[at] = pl.col("company_id")
    rows = rows.with_columns(text.alias(f"w{at}") for at, text in enumerate(texts))
    return rows.hstack(
        [
            pl.repeat(None, rows.height, dtype=pl.UInt64, eager=True).alias(f"s{at}")
            if each.flow == "to_snowflake"
            else _hashed(rows, f"w{at}", f"s{at}", each.form)
            for at, each in enumerate(fields)
        ]
    )


def _hashed(frame: pl.DataFrame, text: str, name: str, form: Form) -> pl.Series:
    return fingerprints(frame.select(form.comparable(pl.col(text))).to_series()).rename(name)


def _form(field: TableField, kind: ValueType, shape: Mapping[str, Column], table: Table) -> Form:
    if not field.column or field.path:
        return Form(kind, "text", None, field.timezone)
    column = resolve(field.column, shape, table)
    return Form(kind, holds(column.type), column.scale, field.timezone)
