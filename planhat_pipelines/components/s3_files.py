"""`type: planhat_pipelines.S3Files`."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
from pydantic import BaseModel

from planhat_pipelines.orchestration.files import files_definitions
from planhat_pipelines.spec.files import FilesSpec


@dataclass
class S3Files(dg.Component):
    """Files below a prefix of a bucket to records, metrics or activities; each is imported once and moved away."""

    spec: FilesSpec

    @classmethod
    def get_model_cls(cls) -> type[FilesSpec]:
        """The spec itself is the schema: a derived one would take any text where a choice is meant."""
        return FilesSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> S3Files:
        """Hold the validated spec."""
        return cls(FilesSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The engine's sync as assets, checks and a schedule."""
        return files_definitions(self.spec)
