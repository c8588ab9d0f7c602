"""The names users type as `type:` in a defs.yaml."""

from planhat_pipelines.components.snowflake_records import SnowflakeRecords
from planhat_pipelines.components.snowflake_usage import SnowflakeUsage

__all__ = ["SnowflakeRecords", "SnowflakeUsage"]
