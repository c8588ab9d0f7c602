"""Snowflake tables and S3 drops to Planhat and back, with a verdict for every row."""
