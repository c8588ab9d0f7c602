"""Snowflake: sign-in, tables and their changes, usage rows by incrementing key, and writing back."""
