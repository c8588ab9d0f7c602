"""`SnowflakeRecords`: rows of a CRM table or view to records of a Planhat model, and back."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planhat_pipelines.planhat.catalogue import Model, model, with_article
from planhat_pipelines.spec.base import (
    Description,
    Owners,
    RefusedAtMost,
    Sensitive,
    Spec,
    SpecError,
    SyncName,
    TableName,
    Tags,
)
from planhat_pipelines.spec.cadence import Cadence
from planhat_pipelines.spec.fields import CompanyRef, FieldMap, KeyMap, ModelName, archive_field, fits_model

Direction = Literal["to_planhat", "to_snowflake", "both"]


class TableField(FieldMap):
    """A field of a table that Planhat's changes may come back to."""

    direction: Direction | None = Field(
        default=None,
        description="Narrows the sync's direction for this field. What comes back to Snowflake is written to `column`.",
    )


class RecordsSpec(Spec):
    """Rows of a Snowflake table or view, each one record of a Planhat model."""

    name: SyncName
    table: TableName
    model: ModelName
    key: KeyMap
    direction: Direction = Field(
        default="to_planhat",
        description="Where changes travel: to Planhat; to Snowflake, which makes the table a mirror of the model; or "
        "both ways, field by field.",
    )
    on_conflict: Literal["snowflake", "planhat", "newest"] = Field(
        default="snowflake",
        description="Whose value stays when both sides changed a field since they last agreed. The other one is kept "
        "and shown by `planhat-pipelines conflicts`. `newest` needs `updated_at`.",
    )
    show_values: bool = Field(
        default=False,
        description="Show the values of conflicts in Dagster, whose database keeps them. Without it they are shown by "
        "`planhat-pipelines conflicts --show-values` alone.",
    )
    insert_new: bool | None = Field(
        default=None,
        description="Whether records that only Planhat has become new rows. Left out: in a mirror yes, else no.",
    )
    create_table: bool = Field(
        default=False,
        description="Create the table of a mirror (`direction: to_snowflake`) if it is not there.",
    )
    gone_column: str | None = Field(
        default=None,
        examples=["GONE_AT"],
        description="A BOOLEAN, DATE or TIMESTAMP column that marks rows whose record was deleted or archived in "
        "Planhat. Found when Planhat is read as a whole.",
    )
    company: CompanyRef | None = Field(
        default=None,
        description="Whose record it is; needed by all models but Company, User, Product, Issue.",
    )
    changes: Literal["change_tracking", "snapshot_diff", "updated_at"] = Field(
        default="change_tracking",
        description="How to find what changed: Snowflake's change tracking; the whole table compared with what was "
        "sent; or a column that holds the time of the last change (which cannot see deletions).",
    )
    updated_at: str | None = Field(
        default=None,
        examples=["UPDATED_AT"],
        description="That column, with `changes: updated_at`; also what `on_conflict: newest` compares.",
    )
    every: Cadence
    full_every: Cadence | None = Field(
        default=None,
        examples=["weekly on sunday at 03:00"],
        description="Compare everything now and then, to heal what drifted. Planhat is read as a whole daily by "
        "syncs that bring its changes back, unless this says otherwise.",
    )
    on_delete: Literal["ignore", "archive"] = Field(
        default="ignore",
        description="Rows that vanish: leave their records, or archive them where the model can.",
    )
    brake: float = Field(
        default=0.5,
        examples=[0.2],
        gt=0,
        le=1,
        description="Share of the known records that one run may change or archive. A run that would change more "
        "(and more than 100) stops before it sends anything; let it through with `allow_many_changes`.",
    )
    fields: tuple[TableField, ...] = Field(
        min_length=1, strict=False, examples=[[{"column": "NAME", "field": "name"}]]
    )
    sensitive: Sensitive = ()
    refused_at_most: RefusedAtMost = 0.1
    description: Description = None
    owners: Owners = ()
    tags: Tags = Field(default_factory=dict)

    @property
    def planhat_model(self) -> Model:
        """The catalogue's entry of the model."""
        return model(self.model)

    def flow(self, field: TableField) -> Direction:
        """The direction of one of the fields."""
        return field.direction or self.direction

    @property
    def sent(self) -> list[TableField]:
        """The fields whose values go to Planhat."""
        return [each for each in self.fields if self.flow(each) != "to_snowflake"]

    @property
    def fetched(self) -> list[TableField]:
        """The fields whose values come back to Snowflake."""
        return [each for each in self.fields if self.flow(each) != "to_planhat"]

    @model_validator(mode="after")
    def _fits_the_model(self) -> Self:
        target = self.planhat_model
        fits_model(target, self.key, self.company, self.fields, sent=[each.field for each in self.sent])
        self._fits_the_directions()
        if self.changes == "updated_at" and self.updated_at is None:
            raise SpecError(
                "changes: updated_at does not say which column", "give updated_at: COLUMN as well"
            )
        if self.updated_at and self.changes != "updated_at" and self.on_conflict != "newest":
            raise SpecError(
                "updated_at is used by nothing",
                "write changes: updated_at or on_conflict: newest, or remove it",
            )
        if self.on_delete == "archive" and archive_field(target) is None:
            raise SpecError(
                f"{with_article(target.title)} cannot be archived over the API", "remove on_delete"
            )
        if self.on_delete == "archive" and self.key.field == "email":
            raise SpecError(
                "records known by an e-mail address cannot be archived with their rows: of a row that is gone only a "
                "hash of the address is left",
                "give key: an externalId or sourceId, or remove on_delete",
            )
        if self.on_delete == "archive" and archive_field(target) in [each.field for each in self.fields]:
            raise SpecError(
                f"{archive_field(target)} is set by `on_delete: archive`", "remove one of the two"
            )
        return self

    def _fits_the_directions(self) -> None:
        if self.direction != "both":
            narrowed = [each.field for each in self.fields if each.direction not in (None, self.direction)]
            if narrowed:
                raise SpecError(
                    f"{narrowed[0]} cannot travel another way than its sync, which goes {self.direction}",
                    "write direction: both for the sync, or remove it from the field",
                )
        back: dict[str, str] = {}
        for each in self.fetched:
            if each.column is None or each.path:
                raise SpecError(
                    f"{each.field} cannot come back to Snowflake: it is not the value of one whole column",
                    "give the field direction: to_planhat, or map a column without path or expression",
                )
            if each.column.upper() in back or each.column.upper() == self.key.column.upper():
                other = back.get(each.column.upper(), "the key")
                raise SpecError(
                    f"{each.field} and {other} would both be written to {each.column}",
                    "give one of the two direction: to_planhat",
                )
            if each.nulls == "leave" and self.flow(each) == "both":
                raise SpecError(
                    f"{each.field} goes both ways, so an empty value clears it on either side",
                    "remove nulls: leave, or give the field direction: to_planhat",
                )
            back[each.column.upper()] = each.field
        self._fits_two_way()

    def _fits_two_way(self) -> None:
        if self.direction != "to_planhat" and self.key.field == "email":
            raise SpecError(
                "records known by an e-mail address travel to Planhat only: to bring changes back, the ledger would "
                "have to keep the addresses",
                "give key: an externalId, sourceId or _id, or write direction: to_planhat",
            )
        if self.on_conflict == "newest" and self.updated_at is None:
            raise SpecError(
                "on_conflict: newest needs to know when a row changed",
                "give updated_at: COLUMN, or choose snowflake or planhat",
            )
        if self.on_conflict != "snowflake" and self.direction != "both":
            raise SpecError("on_conflict is for direction: both", "remove it")
        if self.show_values and self.direction != "both":
            raise SpecError("show_values is for conflicts, which need direction: both", "remove it")
        if self.on_delete == "archive" and self.direction != "to_planhat":
            raise SpecError(
                "on_delete: archive is for direction: to_planhat",
                "remove it, or map the archive field both ways",
            )
        if self.create_table and self.direction != "to_snowflake":
            raise SpecError("create_table is for a mirror", "write direction: to_snowflake, or remove it")
        if self.direction == "to_planhat" and (self.insert_new is not None or self.gone_column):
            raise SpecError(
                "insert_new and gone_column are for syncs that write to Snowflake",
                "write direction: both or to_snowflake, or remove them",
            )
        if self.direction == "both" and not self.fetched:
            raise SpecError("no field comes back to Snowflake", "write direction: to_planhat for the sync")
