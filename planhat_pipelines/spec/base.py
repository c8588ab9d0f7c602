"""What every spec shares: strict, frozen models, and the small types users write in many places."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

IdKind = Literal["planhat", "external", "source"]
"""Which of Planhat's ids a column holds: `_id`, `externalId` or `sourceId`."""


class Spec(BaseModel):
    """Base of everything that can stand in a `defs.yaml`: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SpecError(ValueError):
    """A value that a validator refuses: what is wrong with it, and the cure."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}; {cure}")
        self.what, self.cure = what, cure


SyncName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"),
    Field(
        examples=["seats"],
        description="Permanent name of the sync: lower case letters, digits and _. "
        "It is the identity of the sync's assets and of its place in the ledger; do not change it later.",
    ),
]

Description = Annotated[
    str | None,
    Field(
        examples=["Seats per customer and day."],
        description="What the sync is for, in a sentence. Dagster and the lineage page show it.",
    ),
]
Owners = Annotated[
    tuple[str, ...],
    Field(
        strict=False,
        examples=[["team:revenue-operations", "ann@example.com"]],
        description="Who answers for the sync: team:NAME, or an e-mail address.",
    ),
]
Tags = Annotated[
    dict[str, str],
    Field(
        examples=[{"pii": "yes"}],
        description='Free words about the sync, to find it by; `pii: "yes"` marks its columns in Dagster and on the '
        "lineage page: all of them, or those under `sensitive`.",
    ),
]

Sensitive = Annotated[
    tuple[str, ...],
    Field(
        strict=False,
        examples=[["EMAIL"]],
        description="Columns that Snowflake guards, with a masking policy or a tag named pii, and that may go to "
        "Planhat all the same. Without this yes a sync that maps them does not run.",
    ),
]

RefusedAtMost = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        examples=[0.02],
        description="Share of a run's rows that may be refused. The check `no_rejections` warns of any and is an "
        "error above this share.",
    ),
]

_PART = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")+")'


def _three_parts(name: str) -> str:
    if not re.fullmatch(rf"{_PART}\.{_PART}\.{_PART}", name):
        raise SpecError(
            f"{name!r} is no full table name",
            'write DATABASE.SCHEMA.TABLE; a part with lower case or odd characters goes in "quotes"',
        )
    return name


TableName = Annotated[
    str,
    AfterValidator(_three_parts),
    Field(examples=["PRODUCT.PUBLIC.DAILY_SEATS"], description="DATABASE.SCHEMA.TABLE of a table or a view."),
]


def identifier(part: str) -> str:
    """The name as Snowflake stores it: unquoted names fold to upper case, quoted ones stay as they are."""
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.upper()


def table_parts(name: TableName) -> tuple[str, str, str]:
    """Database, schema and table of a `TableName`, as Snowflake stores them."""
    database, schema, table = re.findall(_PART, name)
    return identifier(database), identifier(schema), identifier(table)


class Column(Spec):
    """A source column, or one value inside a VARIANT column."""

    column: str = Field(min_length=1, examples=["COLUMN_NAME"], description="Name of the column.")
    path: str | None = Field(
        default=None,
        examples=["plan.seats[0].used"],
        description="Where the value lies inside a VARIANT column: keys with dots, array places in "
        "brackets, for instance `plan.seats[0].used`.",
    )


def _column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


ColumnRef = Annotated[
    Column,
    BeforeValidator(_column, json_schema_input_type=str | Column),
    Field(description="A column's name, or {column, path} for a value inside a VARIANT column."),
]


class Constant(Spec):
    """The same text for every row."""

    value: str = Field(min_length=1, examples=["signed in"], description="The text.")


TextRef = Annotated[
    Column | Constant,
    BeforeValidator(_column, json_schema_input_type=str | Column | Constant),
    Field(description="A column's name, {column, path}, or {value: the same text for every row}."),
]
