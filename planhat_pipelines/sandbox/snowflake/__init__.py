"""A local Snowflake: fakesnow behind the connector's own protocol, with sign-in that is checked and change tracking.

write_users(path, [create_user("LOADER", password=...)])
with SnowflakeServer(path, folder=folder) as server:
    snowflake.connector.connect(**server.connect_args, user="LOADER", password=...)

What it does not do as an account does: a failed statement gives up its whole transaction (COMMIT then says so); time
travel needs change tracking, or a table that has not changed since; query ids as points are forgotten at a restart;
history is never pruned, only refused; views are tracked when they select from and filter one table; there are no
streams, tasks, procedures or SWAP WITH; roles may do everything that is not revoked; temporary tables need a session
with a current schema; session variables are evaluated where they are used.
"""

from __future__ import annotations

from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
from planhat_pipelines.sandbox.snowflake.users import KeyPair, User, create_key_pair, create_user, write_users

__all__ = ["KeyPair", "SnowflakeServer", "User", "create_key_pair", "create_user", "write_users"]
