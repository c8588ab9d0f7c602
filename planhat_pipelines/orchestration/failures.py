"""Errors of the engine as failures of a run: those that a retry cannot help are not retried."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from planhat_pipelines.engine.environment import NotConfigured
from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines.engine.report import Unbalanced
from planhat_pipelines.ledger import SyncBusy
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.planhat.errors import Permanent as PlanhatPermanent
from planhat_pipelines.snowflake.errors import Permanent as SnowflakePermanent

PERMANENT = (Brake, NotConfigured, MappingError, PlanhatPermanent, SnowflakePermanent, SyncBusy, Unbalanced)


@contextmanager
def permanent_errors_fail() -> Generator[None]:
    """Turn a permanent error into a Failure that says what to do and is not retried."""
    try:
        yield
    except PERMANENT as error:
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
