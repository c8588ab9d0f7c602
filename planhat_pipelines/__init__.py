"""Snowflake tables and S3 drops to Planhat and back, with a verdict for every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planhat_pipelines.components import S3Files, SnowflakeRecords, SnowflakeUsage

__all__ = [
    "S3Files",
    "SnowflakeRecords",
    "SnowflakeUsage",
]  # on first use, so that the engine loads without dagster


def __getattr__(name: str) -> Any:
    if name in __all__:
        from planhat_pipelines import components

        return getattr(components, name)
    raise AttributeError(name)
