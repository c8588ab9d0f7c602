"""The names users type as `type:` in a defs.yaml."""

from planhat_pipelines.components.s3_files import S3Files
from planhat_pipelines.components.snowflake_records import SnowflakeRecords
from planhat_pipelines.components.snowflake_usage import SnowflakeUsage

__all__ = ["S3Files", "SnowflakeRecords", "SnowflakeUsage"]
