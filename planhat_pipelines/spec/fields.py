"""What records syncs of every kind write alike: the key, the company, and where each field comes from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from planhat_pipelines.planhat.catalogue import MODELS, Model, UnknownModel, model, with_article
from planhat_pipelines.spec.base import Column, IdKind, Spec, SpecError
from planhat_pipelines.spec.cadence import known_zone

FieldType = Literal["text", "number", "integer", "boolean", "date", "datetime", "list", "json"]


class KeyMap(Spec):
    """The column that identifies a row, and the Planhat key it becomes."""

    column: str = Field(
        min_length=1, examples=["ACCOUNT_ID"], description="The column. Unique, and never empty."
    )
    field: Literal["externalId", "sourceId", "email", "_id"] = Field(
        default="externalId",
        description="externalId for ids of your own; sourceId belongs to a CRM integration, if there is one. Of an "
        "email the ledger keeps a hash.",
    )


class CompanyRef(Column):
    """The column that names a record's company, and which of Planhat's ids it holds."""

    id: IdKind = Field(
        default="external", description="Which id the column holds: planhat, external or source."
    )


class FieldMap(Spec):
    """One Planhat field and where its value comes from: a column, a constant or an expression."""

    field: str = Field(
        pattern=r"^(custom\..+|[A-Za-z_][A-Za-z0-9_]*)$",
        description="A field of the model, or custom.NAME with the custom field's name as the app shows it.",
        examples=["name", "custom.ARR"],
    )
    column: str | None = Field(
        default=None, min_length=1, examples=["NAME"], description="The column the value comes from."
    )
    path: str | None = Field(
        default=None,
        examples=["plan.seats[0].used"],
        description="Place inside a VARIANT column, or a nested value of a file.",
    )
    value: str | int | float | bool | None = Field(
        default=None, examples=["customer"], description="The same value for every row."
    )
    expression: str | None = Field(
        default=None,
        examples=["upper(NAME)"],
        description="A SQL expression over the columns, as polars understands it: upper(NAME) || ' (' || CITY || ')'.",
    )
    type: FieldType | None = Field(
        default=None, description="Found from the model or the custom field when left out."
    )
    nulls: Literal["clear", "leave"] = Field(
        default="clear",
        description="What an empty value does: clear the field in Planhat, or leave it as it is.",
    )
    timezone: str = Field(
        default="UTC",
        examples=["Europe/Stockholm"],
        description="Time zone of dates and times that carry none.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str) -> str:
        return known_zone(timezone)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("column", "value", "expression") if getattr(self, name) is not None]
        if len(given) != 1:
            raise SpecError(
                f"{self.field}: {' and '.join(given) or 'nothing'} says where the value comes from",
                "give exactly one of column, value, expression",
            )
        if self.path and not self.column:
            raise SpecError(f"{self.field}: path without column", "name the VARIANT column it lies in")
        return self

    @field_validator("expression")
    @classmethod
    def _sound(cls, expression: str | None) -> str | None:
        if expression is None:
            return None
        import polars as pl

        try:
            pl.sql_expr(expression)
        except pl.exceptions.PolarsError as error:
            raise SpecError(
                f"{expression!r} is no SQL expression: {str(error).splitlines()[0]}",
                "write what could stand after SELECT, such as upper(NAME) || ' (' || CITY || ')'",
            ) from None
        return expression


def _model_name(name: Any) -> Any:
    if isinstance(name, str):
        try:
            model(name)
        except UnknownModel as error:
            raise SpecError(str(error), f"use one of {', '.join(MODELS)}") from None
    return name


ModelName = Annotated[
    str,
    BeforeValidator(_model_name),
    Field(description=f"The Planhat model: {', '.join(MODELS)}.", examples=["company"]),
]


def fits_model(
    target: Model,
    key: KeyMap,
    company: CompanyRef | None,
    fields: Sequence[FieldMap],
    *,
    sent: Collection[str] | None = None,
) -> None:
    """Raise SpecError unless key, company and fields are ones the model has and takes. `sent`: the names of those
    fields that are written to Planhat, where not all of them are."""
    writes = sent is None or len(sent) > 0
    if writes and not target.bulk:
        raise SpecError(f"Planhat takes no bulk upserts of {target.title}", "choose another model")
    if key.field not in target.keys:
        raise SpecError(f"{target.title} is not known by {key.field}", f"use one of {', '.join(target.keys)}")
    if writes and target.company_required and company is None:
        raise SpecError(
            f"{with_article(target.title)} belongs to a company, and none is named",
            "add a line such as company: {column: ACCOUNT_ID, id: external}",
        )
    if company and target.company_field is None:
        raise SpecError(f"{with_article(target.title)} has no company", "remove company:")
    names = [each.field for each in fields]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{name} is mapped {names.count(name)} times", "map it once")
        if name in (key.field, target.company_field):
            raise SpecError(f"{name} is set by `key:` or `company:`", "remove it from fields:")
        if name == "type" and target.name == "note":
            raise SpecError("the type of a note is always note", "remove it from fields:")
        known = target.fields.get(name)
        if known is None and not name.startswith("custom."):
            writable = ", ".join(each for each, field in target.fields.items() if not field.read_only)
            raise SpecError(
                f"{with_article(target.title)} has no field {name}", f"use one of {writable}, or custom.NAME"
            )
        if known is not None and known.read_only and (sent is None or name in sent):
            raise SpecError(
                f"{name} is filled in by Planhat and cannot be written",
                "remove it, or let it only come back: direction: to_snowflake",
            )


def archive_field(target: Model) -> str | None:
    """The field that archives a record of this model, where there is one."""
    return next((name for name in ("archived", "isArchived") if name in target.fields), None)
