"""`S3Files`: files that land in a bucket, to records, metrics or activities."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from planhat_pipelines.planhat.catalogue import Model, model
from planhat_pipelines.spec.base import (
    Column,
    Description,
    Owners,
    RefusedAtMost,
    Spec,
    SpecError,
    SyncName,
    Tags,
)
from planhat_pipelines.spec.cadence import Cadence
from planhat_pipelines.spec.fields import CompanyRef, FieldMap, KeyMap, ModelName, fits_model
from planhat_pipelines.spec.usage import Activities, Date, MetricName, Target

Aggregate = Literal["sum", "count", "count_distinct", "min", "max", "mean", "last"]


class FileForm(Spec):
    """What the sender says of the files. All of it is found from the content when left out."""

    format: Literal["csv", "tsv", "xlsx", "xls", "json", "ndjson"] | None = Field(
        default=None, description="What the files are, whatever their names end in."
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        examples=[";"],
        description="What stands between two values of a line.",
    )
    quote: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        examples=["'"],
        description="What stands around values that hold a delimiter.",
    )
    encoding: str | None = Field(
        default=None, examples=["cp1252"], description="For files that are not UTF-8: cp1252, latin-1 ..."
    )
    header_row: int | None = Field(default=None, ge=1, description="The row with the column names, from 1.")
    sheet: str | None = Field(
        default=None, examples=["Export"], description="A sheet's name; the first visible one when left out."
    )
    records: str | None = Field(
        default=None, examples=["data"], description="The key of a JSON object under which the rows lie."
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        try:
            if encoding is not None:
                codecs.lookup(encoding)
        except LookupError:
            raise SpecError(
                f"there is no encoding {encoding!r}", "write utf-8, cp1252, latin-1 or utf-16"
            ) from None
        return encoding


class AggregatedValue(Column):
    """One metric and what becomes of a column's values per target and day."""

    metric: MetricName
    aggregate: Aggregate = Field(
        default="sum",
        description="Of the rows of one file. A later file with rows of the same day adds a point to it: sums and "
        "counts add up, the others do not.",
    )


class AggregatedMetrics(Spec):
    """Rows become one point per metric, target and day."""

    target: Target
    date: Date
    values: tuple[AggregatedValue, ...] = Field(min_length=1, strict=False)

    @field_validator("values")
    @classmethod
    def _once(cls, values: tuple[AggregatedValue, ...]) -> tuple[AggregatedValue, ...]:
        names = [value.metric for value in values]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"metric {name!r} is mapped {names.count(name)} times", "map it once")
        return values


class FileRecords(Spec):
    """Each row becomes one record of a model."""

    model: ModelName
    key: KeyMap
    company: CompanyRef | None = None
    fields: tuple[FieldMap, ...] = Field(
        min_length=1, strict=False, examples=[[{"column": "NAME", "field": "name"}]]
    )

    @property
    def planhat_model(self) -> Model:
        """The catalogue's entry of the model."""
        return model(self.model)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        fits_model(self.planhat_model, self.key, self.company, self.fields)
        return self


Prefix = Annotated[str, Field(pattern=r"^[^/].*/$", examples=["processed/"])]


class FilesSpec(Spec):
    """Files below a prefix of a bucket. Each version of each file is imported once and then moved away."""

    name: SyncName
    bucket: str = Field(
        min_length=3,
        max_length=63,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]+$",
        examples=["acme-drops"],
        description="Its name alone, without s3://.",
    )
    prefix: str = Field(
        default="",
        pattern=r"^([^/].*)?$",
        examples=["devices/"],
        description="The folder the files land in, with a slash at its end and none in front.",
    )
    pattern: str = Field(
        default="**",
        min_length=1,
        examples=["*.csv"],
        description="Which files below the prefix: `*.csv`, `**/devices-*.csv`. Others are left alone.",
    )
    every: Cadence
    files: FileForm = Field(default_factory=FileForm, examples=[{"format": "csv", "delimiter": ";"}])
    metrics: AggregatedMetrics | None = None
    records: FileRecords | None = None
    activities: Activities | None = None
    settle_seconds: float = Field(
        default=30,
        ge=0,
        examples=[0],
        description="Younger files wait, as a sender may still be writing them.",
    )
    events: str | None = Field(
        default=None,
        pattern=r"^https?://",
        examples=["https://sqs.eu-north-1.amazonaws.com/111122223333/acme-drops"],
        description="Address of an SQS queue that gets the bucket's ObjectCreated events: a drop then starts a run at "
        "once. Set settle_seconds to 0 for senders that upload whole files. `every` stays, as events can be lost.",
    )
    done_marker: str | None = Field(
        default=None,
        min_length=1,
        examples=[".done"],
        description="With `.done`, a file waits until one of the same name and this ending is there.",
    )
    processed: Prefix = Field(
        default="processed/", examples=["processed/"], description="Where imported files go."
    )
    failed: Prefix = Field(
        default="failed/",
        examples=["failed/"],
        description="Where files go that cannot be read, with a report.",
    )
    rejected: Prefix = Field(
        default="rejected/",
        examples=["rejected/"],
        description="Where refused rows go, to be corrected and dropped again.",
    )
    refused_at_most: RefusedAtMost = 0.1
    description: Description = None
    owners: Owners = ()
    tags: Tags = Field(default_factory=dict)

    @model_validator(mode="after")
    def _places_apart(self) -> Self:
        places = {"processed": self.processed, "failed": self.failed, "rejected": self.rejected}
        only_folder = "/" not in self.pattern and "**" not in self.pattern
        for name, place in places.items():
            if self.prefix.startswith(place) or (place.startswith(self.prefix) and not only_folder):
                raise SpecError(
                    f"{name}: {place} and prefix: {self.prefix or '(none)'} lie one in the other, so that files that "
                    "were moved away would be imported again",
                    "give the files a folder of their own, or a pattern without folders such as *.csv",
                )
        if len(set(places.values())) < len(places):
            raise SpecError("processed:, failed: and rejected: share a folder", "give each one of its own")
        return self

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        given = [name for name in ("metrics", "records", "activities") if getattr(self, name) is not None]
        if len(given) != 1:
            raise SpecError(
                f"{' and '.join(given) or 'nothing'} says where the rows go",
                "write exactly one of metrics:, records:, activities:",
            )
        return self
