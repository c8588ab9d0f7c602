"""`type: planhat_pipelines.SnowflakeUsage`."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
from pydantic import BaseModel

from planhat_pipelines.orchestration.usage import usage_definitions
from planhat_pipelines.spec.usage import UsageSpec


@dataclass
class SnowflakeUsage(dg.Component):
    """Usage rows of a Snowflake table or view to Planhat metrics or user activities, by incrementing key."""

    spec: UsageSpec

    @classmethod
    def get_model_cls(cls) -> type[UsageSpec]:
        """The spec itself is the schema: a derived one would take any text where a choice is meant."""
        return UsageSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> SnowflakeUsage:
        """Hold the validated spec."""
        return cls(UsageSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The engine's sync as assets, checks and a schedule."""
        return usage_definitions(self.spec)
