"""Read Snowflake: sign-in, the shape of tables, and usage rows by incrementing key."""
