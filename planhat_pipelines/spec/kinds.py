"""The component types that may stand after `type:` in a `defs.yaml`, and the spec of each."""

from __future__ import annotations

from collections.abc import Mapping

from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines.spec.usage import UsageSpec

AnySpec = UsageSpec | RecordsSpec | FilesSpec
"""Whatever a sync may be."""

KINDS: Mapping[str, type[AnySpec]] = {
    "planhat_pipelines.S3Files": FilesSpec,
    "planhat_pipelines.SnowflakeRecords": RecordsSpec,
    "planhat_pipelines.SnowflakeUsage": UsageSpec,
}
