"""`type: planhat_pipelines.SnowflakeRecords`."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
from pydantic import BaseModel

from planhat_pipelines.orchestration.records import records_definitions
from planhat_pipelines.orchestration.twoway import two_way_definitions
from planhat_pipelines.spec.records import RecordsSpec


@dataclass
class SnowflakeRecords(dg.Component):
    """Rows of a Snowflake CRM table or view to records of a Planhat model, and back; only what changed."""

    spec: RecordsSpec

    @classmethod
    def get_model_cls(cls) -> type[RecordsSpec]:
        """The spec itself is the schema: a derived one would take any text where a choice is meant."""
        return RecordsSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> SnowflakeRecords:
        """Hold the validated spec."""
        return cls(RecordsSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The engine's sync as assets, checks and a schedule."""
        one_way = self.spec.direction == "to_planhat"
        return records_definitions(self.spec) if one_way else two_way_definitions(self.spec)
