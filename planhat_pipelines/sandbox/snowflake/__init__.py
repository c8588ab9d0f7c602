"""A local Snowflake: fakesnow behind the connector's own protocol, with sign-in that is checked and change tracking.

write_users(path, [create_user("LOADER", password=...)])
with SnowflakeServer(path, folder=folder) as server:
    snowflake.connector.connect(**server.connect_args, user="LOADER", password=...)
"""

from __future__ import annotations

from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
from planhat_pipelines.sandbox.snowflake.users import KeyPair, User, create_key_pair, create_user, write_users

__all__ = ["KeyPair", "SnowflakeServer", "User", "create_key_pair", "create_user", "write_users"]
