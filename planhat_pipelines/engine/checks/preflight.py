"""What the syncs promise of the world, tried before they run: sign-in, ledger, tables, keys, rows, permissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from planhat_pipelines.engine.checks.findings import Broken, Finding, tried
from planhat_pipelines.engine.checks.promises import Tenant, destination_models, mapped_records, promises
from planhat_pipelines.engine.environment import open_ledger, planhat_account, snowflake_account
from planhat_pipelines.ledger import Budget, Ledger
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.lookups import custom_fields, targets
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines.snowflake.look import signed_in
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.kinds import AnySpec

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_HASTE = Patience(read=60, attempts=2)


@dataclass
class World:
    """The open connections, each None until it has been opened, and what the tenant holds."""

    environment: Mapping[str, str]
    stack: ExitStack
    ledger: Ledger | None = None
    session: SnowflakeConnection | None = None
    planhat: Planhat | None = None
    tenant: Tenant = field(default_factory=Tenant)

    def open_ledger(self) -> str:
        """Open the ledger; it is made when it is not there yet."""
        self.ledger = self.stack.enter_context(open_ledger(self.environment))
        return "opens"

    def open_snowflake(self) -> str:
        """Sign in to Snowflake."""
        account = snowflake_account(self.environment)
        self.session = self.stack.enter_context(account.connection())
        who = signed_in(self.session)
        if not who.warehouse:
            raise Broken(
                f"user {who.user} signed in, but no warehouse is in use: set SNOWFLAKE_WAREHOUSE, and GRANT USAGE "
                f"on it to role {who.role}."
            )
        return f"user {who.user} signed in, role {who.role}, warehouse {who.warehouse}"

    def open_planhat(self) -> str:
        """Sign in to Planhat."""
        account = planhat_account(self.environment)
        budget = (
            Budget.of_minute(self.ledger, account.api_url, account.calls_a_minute) if self.ledger else None
        )
        client = self.stack.enter_context(Planhat(account, budget=budget, patience=_HASTE))
        client.probe()
        self.planhat = client
        return f"signed in at {account.api_url}"

    def tenant_token(self) -> str:
        """Metrics and activities name the tenant."""
        if not self.environment.get("PLANHAT_TENANT"):
            raise Broken(
                "PLANHAT_TENANT is not set: metrics and activities need the tenant token, a UUID that the Private "
                "App shows beside its access token."
            )
        return "the tenant token for metrics and activities is set"

    def read_records(self, name: str, client: Planhat) -> str:
        """Read the ids of all records of a model."""
        self.tenant.records[name] = found = targets(client, model(name))
        external = found["externalId"].drop_nulls().len()
        return f"{found.height:,} {model(name).path} can be read, {external:,} of them with an external id"

    def read_custom_fields(self, name: str, client: Planhat) -> str:
        """Read what the tenant added to a model."""
        self.tenant.custom_fields[name] = found = custom_fields(client, model(name))
        return f"{len(found)} custom fields of {model(name).title} can be read"


def preflight(specs: Sequence[AnySpec], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Try what these syncs need, one finding for each promise. What cannot be tried, as the sign-in before it failed,
    is left out."""
    with ExitStack() as stack:
        world = World(environment, stack)
        yield tried("ledger", world.open_ledger)
        if not all(isinstance(spec, FilesSpec) for spec in specs):
            yield tried("Snowflake", world.open_snowflake)
        yield tried("Planhat", world.open_planhat)
        records = [mapped_records(spec) for spec in specs]
        if None in records:
            yield tried("Planhat", world.tenant_token)
        if world.planhat:
            for name in sorted({name for spec in specs for name in destination_models(spec)}):
                yield tried("Planhat", partial(world.read_records, name, world.planhat))
            for name in sorted({each.model for each in records if each}):
                yield tried("Planhat", partial(world.read_custom_fields, name, world.planhat))
        for spec in specs:
            yield from promises(spec, environment, world.session, world.tenant)
