"""A tick of a schedule when nothing is new: it has to cost little, start no run and wake no warehouse.

The whole tick as Dagster evaluates it: sign-in to the (local) Snowflake, the ledger, the look, the reason to skip.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

from benchmarks.harness import TENANT, TOKEN, Bench, Line, Place, Work, ask, sink
from benchmarks.snowflake import fill

ROWS, TICKS = 5_000, 10
_SYNC = """\
type: planhat_pipelines.SnowflakeRecords
attributes:
  name: accounts
  table: CRM.PUBLIC.ACCOUNTS
  model: company
  key: {column: ACCOUNT_ID, field: externalId}
  every: 1h
  fields: [{column: NAME, field: name}, {column: PHASE, field: phase}]
"""


def idle(place: Place) -> Callable[[], int]:
    """One run through Dagster, and then ticks with nothing to do."""
    import dagster as dg

    from planhat_pipelines.sandbox.snowflake.process import SnowflakeServer
    from planhat_pipelines.sandbox.snowflake.users import create_user, write_users

    users, password, defs = place.file("users.json"), secrets.token_urlsafe(), place.file("defs")
    defs.mkdir()
    (defs / "accounts").mkdir()
    (defs / "accounts" / "defs.yaml").write_text(_SYNC)
    write_users(users, [create_user("BENCH", password=password, role="BENCH", warehouse="WH")])
    server = SnowflakeServer(users, create_missing=True).start()
    os.environ |= {
        "PLANHAT_PIPELINES_DEFS": str(defs),
        "PLANHAT_LEDGER_URL": f"sqlite:///{place.file('ledger.db')}",
        "PLANHAT_TOKEN": TOKEN,
        "PLANHAT_TENANT": TENANT,
        "PLANHAT_API_URL": place.sink,
        "PLANHAT_ANALYTICS_URL": place.sink,
        "SNOWFLAKE_ACCOUNT": "LOCAL",
        "SNOWFLAKE_USER": "BENCH",
        "SNOWFLAKE_PASSWORD": password,
        "SNOWFLAKE_HOST": server.host,
        "SNOWFLAKE_PORT": str(server.port),
        "SNOWFLAKE_PROTOCOL": "http",
        "SNOWFLAKE_DATABASE": "CRM",
        "SNOWFLAKE_SCHEMA": "PUBLIC",
    }
    from planhat_pipelines.definitions import defs as load
    from planhat_pipelines.engine.environment import snowflake_account
    from planhat_pipelines.orchestration.resources import LedgerDatabase, PlanhatTenant, SnowflakeSignIn

    with snowflake_account(os.environ).connection() as session:
        fill(session, place.file(f"accounts-{ROWS}.parquet"))
    resources = {"snowflake": SnowflakeSignIn(), "planhat": PlanhatTenant(), "ledger": LedgerDatabase()}
    repository = load().get_repository_def()
    schedule = repository.get_schedule_def("accounts_schedule")
    instance = dg.DagsterInstance.local_temp(place.folder)
    first = repository.get_job("accounts_job").execute_in_process(instance=instance)
    assert first.success

    def tick() -> dg.SkipReason:
        with dg.build_schedule_context(
            instance=instance, repository_def=repository, resources=resources
        ) as context:
            data = schedule.evaluate_tick(context)
        assert not data.run_requests, "a tick with nothing new starts a run"
        return data.skip_message

    def work() -> int:
        try:
            for _ in range(TICKS):
                assert "nothing new" in str(tick())
        finally:
            server.stop()
        return TICKS

    tick()
    return work


WORKS: dict[str, Work] = {"idle": idle}


def lines(bench: Bench) -> Iterator[Line]:
    """CPU of one tick; that no run starts is asserted on the way."""
    bench.data("accounts", ROWS)
    with sink() as address:
        ask(address, "/reset", "POST")
        figures = bench.in_turn(__name__, ["idle"], address, ROWS)["idle"]
    yield Line("an idle tick", figures, unit="us each", target="no run", reached=True)
