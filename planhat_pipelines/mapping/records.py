"""Rows of a CRM table to Planhat records: one JSON object a row, and a fingerprint of all it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from planhat_pipelines.mapping.addresses import private
from planhat_pipelines.mapping.columns import ROW, Cell, MappingError, raw, text
from planhat_pipelines.mapping.encode import only_where, record_texts
from planhat_pipelines.mapping.fingerprint import text_fingerprints
from planhat_pipelines.mapping.targets import Mapped, first_problem, with_reasons
from planhat_pipelines.mapping.values import Value, ValueType, value
from planhat_pipelines.planhat.catalogue import Model, with_article

COPIES = "__copies"
"""Column of a source of records: how many rows of the table have this row's key."""

KEY = "__key"
"""Column of a source whose rows have names other than the record's key (a line of a file, a hash of an address): the
key. `ready` then has the key, or its hash, as ROW and the source's name as PLACE."""

PLACE = "__place"
NO_KEY = "(no key)"


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One field. `source` is a cell, a SQL expression (`expression`) or the same value for every row."""

    name: str
    custom: bool
    kind: ValueType
    cell: Cell | None = None
    expression: str | None = None
    constant: str | int | float | bool | None = None
    clear: bool = True
    timezone: str = "UTC"
    required: bool = False
    allowed: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"custom.{self.name}" if self.custom else self.name

    def read(self, schema: pl.Schema) -> Value:
        """The field's value over a frame of this schema."""
        if self.cell:
            source, dtype = raw(self.cell, schema)
        elif self.expression:
            source = pl.sql_expr(self.expression)
            dtype = _type_of(source, self.expression, schema)
        else:
            source = pl.lit(self.constant)
            dtype = pl.DataFrame([[self.constant]]).dtypes[0]
        return value(source, dtype, self.kind, self.timezone, self.label)


@dataclass(frozen=True, slots=True)
class RecordsMapping:
    """A compiled `SnowflakeRecords`. `company` is the cell that names the record's company."""

    model: Model
    key: str
    fields: Sequence[FieldMapping]
    company: Cell | None = None

    def apply(self, rows: pl.DataFrame, companies: pl.DataFrame | None) -> Mapped:
        """`rows`: ROW (null where the row has no key), COPIES and the mapped columns. `companies`: `known_targets`
        of them, for a mapping with `company`. `ready` has ROW, `key`, `body` (JSON) and `hash` (UInt64)."""
        if not rows.height:
            return NOTHING  # an empty frame does not know its types
        mapped, values = self.computed(rows, companies)
        bodies = self.bodies(mapped.ready, values)
        placed = PLACE in mapped.ready.columns
        return replace(
            mapped,
            ready=mapped.ready.select(ROW, *([PLACE] if placed else []), "key").with_columns(
                bodies, text_fingerprints(bodies).alias("hash")
            ),
        )

    def computed(self, rows: pl.DataFrame, companies: pl.DataFrame | None) -> tuple[Mapped, list[Value]]:
        """The rows parted, and what each field became: `ready` has ROW, `key`, `company_id` (for a mapping with
        `company`) and `f0`, `f1` ... for the fields, and each value is read from there. Needs a row at least."""
        values = [each.read(rows.schema) for each in self.fields]
        company = text(self.company, rows.schema) if self.company else pl.lit(None, pl.String)
        key = KEY if KEY in rows.columns else ROW
        problems = self._problems(values, key, company)
        wanted = [
            pl.col(ROW).fill_null(NO_KEY),
            pl.col(key).alias("key"),
            company.alias("company"),
            first_problem(problems).alias("problem"),
            *(each.expr.alias(f"f{at}") for at, each in enumerate(values)),
        ]
        try:
            frame = rows.select(wanted)
        except pl.exceptions.PolarsError:
            raise MappingError(self._uncomputable(rows, values)) from None
        if self.company and companies is not None:
            named = companies.select(pl.col("key").alias("company"), pl.col("_id").alias("company_id"))
            frame = frame.join(named, on="company", how="left", maintain_order="left")
        good = frame.filter(pl.col("problem").is_null())
        waits = (
            pl.col("company_id").is_null() & pl.col("company").is_not_null()
            if self.company
            else pl.lit(False)
        )
        ready = good.filter(~waits)
        parked = good.filter(waits)
        if key == KEY:
            name = private(ready["key"], self.key).alias(ROW)
            ready = ready.with_columns(name, pl.col(ROW).alias(PLACE))
            parked = parked.with_columns(private(parked["key"], self.key))
        mapped = Mapped(
            ready=ready,
            refused=with_reasons(frame.filter(pl.col("problem").is_not_null()), problems),
            parked=parked.select(ROW, pl.col("company").alias("target"), *(["key"] if key == KEY else [])),
        )
        return mapped, [
            Value(pl.col(f"f{at}"), pl.lit(False), each.is_json) for at, each in enumerate(values)
        ]

    def _uncomputable(self, rows: pl.DataFrame, values: Sequence[Value]) -> str:
        """Which expression fails on these rows. The frame library's own words hold values, so they are not repeated."""
        for each, found in zip(self.fields, values, strict=True):
            try:
                rows.select(found.expr)
            except pl.exceptions.PolarsError:
                return (
                    f"{each.label}: the expression {each.expression!r} fails on some rows. Where a value may not fit, "
                    "write TRY_CAST instead of CAST, and the row gets nothing there."
                )
        return "the mapping fails on some rows"

    def _problems(
        self, values: Sequence[Value], key: str, company: pl.Expr
    ) -> list[tuple[str, str, pl.Expr]]:
        whose = with_article(self.model.title)
        problems = [
            (
                self.key,
                "is empty: a row without a key can never be found again",
                pl.col(key).is_null(),
            ),
            (self.key, "is not unique: several rows of the table have this key", pl.col(COPIES) > 1),
        ]
        for each, found in zip(self.fields, values, strict=True):
            kind = {"day_number": "day", "json": "JSON"}.get(each.kind, each.kind)
            problems.append((each.label, f"is no {kind}", found.bad))
            if each.allowed is not None:
                listed = found.expr.is_in(each.allowed)
                problems.append(
                    (each.label, "is not in the field's list of values", found.expr.is_not_null() & ~listed)
                )
            if each.required:
                problems.append((each.label, f"is empty, and {whose} needs it", found.expr.is_null()))
        if self.company and self.model.company_required:
            problems.append((self.company.label, f"is empty, and {whose} needs a company", company.is_null()))
        return problems

    def bodies(
        self, ready: pl.DataFrame, values: Sequence[Value], chosen: Sequence[pl.Expr] | None = None
    ) -> pl.Series:
        """One JSON object a row. `chosen`: for each field, in which rows it is written; everywhere if left out."""
        top = [(self.key, Value(pl.col("key"), pl.lit(False)), True)]  # ready rows have one
        if self.company and self.model.company_field:
            field = self.model.company_field
            one = pl.col("company_id")
            whose = pl.when(one.is_not_null()).then(pl.concat_list(one)) if field == "companyIds" else one
            top.append((field, Value(whose, pl.lit(False)), False))
        if self.model.name == "note":
            top.append(("type", Value(pl.lit("note"), pl.lit(False)), True))
        custom: list[tuple[str, Value, bool]] = []
        for at, (each, found) in enumerate(zip(self.fields, values, strict=True)):
            member = (each.name, found, each.clear)
            if chosen is not None:
                member = (each.name, only_where(chosen[at], found), False)
            (custom if each.custom else top).append(member)
        return record_texts(ready, top, custom)


NOTHING = Mapped(
    ready=pl.DataFrame(schema={ROW: pl.String, "key": pl.String, "body": pl.String, "hash": pl.UInt64}),
    refused=pl.DataFrame(schema=dict.fromkeys((ROW, "key", "field", "reason"), pl.String)),
    parked=pl.DataFrame(schema=dict.fromkeys((ROW, "target"), pl.String)),
)


def _type_of(expression: pl.Expr, sql: str, schema: pl.Schema) -> pl.DataType:
    try:
        return pl.DataFrame(schema=schema).select(expression).dtypes[0]
    except pl.exceptions.PolarsError as error:
        raise MappingError(
            f"the expression {sql!r} cannot be computed: {str(error).splitlines()[0]}"
        ) from None
