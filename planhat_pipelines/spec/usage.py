"""`SnowflakeUsage`: rows of a usage table, one way, to Planhat metrics or user activities."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from planhat_pipelines.spec.base import (
    Column,
    ColumnRef,
    Description,
    IdKind,
    Owners,
    RefusedAtMost,
    Sensitive,
    Spec,
    SpecError,
    SyncName,
    TableName,
    Tags,
    TextRef,
)
from planhat_pipelines.spec.cadence import Cadence, known_zone

MetricName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$"),
    Field(
        examples=["active_seats"],
        description="Planhat's dimension id: letters, digits and _, no spaces (Planhat developers, metrics).",
    ),
]


class DateRef(Column):
    """The column that says when, and the time zone in which a plain date or time is meant."""

    timezone: str = Field(
        default="UTC",
        examples=["Europe/Stockholm"],
        description="Time zone of values that carry none; a point's day is the day in this zone.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str) -> str:
        return known_zone(timezone)


def _date(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Date = Annotated[
    DateRef,
    BeforeValidator(_date, json_schema_input_type=str | DateRef),
    Field(examples=["USAGE_DATE"], description="A column's name, or {column, path, timezone}."),
]


class Target(Column):
    """Which Planhat record a row is about: the column that holds its id."""

    model: Literal["company", "enduser", "asset", "project"] = Field(
        description="The models that can carry metrics (Planhat developers, time series)."
    )
    id: IdKind = Field(
        default="external", description="Which id the column holds: planhat, external or source."
    )


class MetricValue(Column):
    """One metric and the column its value comes from."""

    metric: MetricName


class Metrics(Spec):
    """Each row becomes one point per value: metric, target, day, number."""

    target: Target
    date: Date
    values: tuple[MetricValue, ...] = Field(min_length=1, strict=False)

    @field_validator("values")
    @classmethod
    def _once(cls, values: tuple[MetricValue, ...]) -> tuple[MetricValue, ...]:
        names = [value.metric for value in values]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"metric {name!r} is mapped {names.count(name)} times", "map it once")
        return values


class EndUser(Column):
    """Who did it: the column that identifies the end user."""

    id: Literal["planhat", "external", "source", "email"] = Field(
        default="external", description="Which id the column holds."
    )


class Activities(Spec):
    """Each row becomes one user activity."""

    enduser: EndUser
    action: TextRef = Field(description="What the user did: a column, or {value: ...} for all rows.")
    date: Date
    weight: ColumnRef | None = Field(default=None, description="Relative weight; 1 when left out.")
    info: dict[str, ColumnRef] = Field(
        default_factory=dict,
        examples=[{"client": "CLIENT"}],
        description="Free details: name in Planhat to column.",
    )
    on_doubt: Literal["hold", "resend"] = Field(
        default="hold",
        description="Planhat cannot be asked which activities it has. After a crash or a lost answer: "
        "`hold` shows them and never sends them twice, `resend` never loses one but may double it.",
    )


class UsageSpec(Spec):
    """Rows of a Snowflake table or view with a unique, numeric, incrementing key."""

    name: SyncName
    table: TableName
    incrementing_key: str = Field(
        min_length=1,
        examples=["ROW_ID"],
        description="Unique whole-number column that grows with each new row. Make it ORDER, or keep "
        "`overlap` larger than the jumps of its writers.",
    )
    overlap: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="How far behind the last key to look again for rows that were committed late. "
        "Rows already answered are never sent again.",
    )
    every: Cadence
    metrics: Metrics | None = None
    activities: Activities | None = None
    sensitive: Sensitive = ()
    refused_at_most: RefusedAtMost = 0.1
    description: Description = None
    owners: Owners = ()
    tags: Tags = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if (self.metrics is None) == (self.activities is None):
            found = "neither `metrics:` nor" if self.metrics is None else "both `metrics:` and"
            raise SpecError(f"{found} `activities:` stands here", "say where the rows go with one of the two")
        return self
