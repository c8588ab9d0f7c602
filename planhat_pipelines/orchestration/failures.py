"""Errors of the engine as failures of a run: those that a retry cannot help are not retried."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg


def misfits() -> tuple[type[Exception], ...]:
    """Errors that say that table, key and mapping do not fit each other or the tenant."""
    from planhat_pipelines.mapping.columns import MappingError
    from planhat_pipelines.snowflake.errors import KeyColumnError, NotFound
    from planhat_pipelines.snowflake.writable import NotWritable

    return MappingError, NotFound, NotWritable, KeyColumnError


def permanent() -> tuple[type[Exception], ...]:
    """Errors that stay until somebody changes something."""
    from planhat_pipelines.engine.environment import NotConfigured
    from planhat_pipelines.engine.protocols import Brake
    from planhat_pipelines.engine.report import Unbalanced
    from planhat_pipelines.ledger import SyncBusy
    from planhat_pipelines.planhat.errors import Permanent as PlanhatPermanent
    from planhat_pipelines.snowflake.errors import Permanent as SnowflakePermanent

    return *misfits(), Brake, NotConfigured, PlanhatPermanent, SnowflakePermanent, SyncBusy, Unbalanced


@contextmanager
def permanent_errors_fail() -> Generator[None]:
    """Turn a permanent error into a Failure that says what to do and is not retried."""
    try:
        yield
    except permanent() as error:
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
