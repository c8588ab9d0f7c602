"""One promise put to the test, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planhat_pipelines.engine.environment import NotConfigured
from planhat_pipelines.files.errors import FilesError
from planhat_pipelines.ledger import LedgerError
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.planhat.errors import PlanhatError
from planhat_pipelines.snowflake.errors import SnowflakeError, translated


class Broken(Exception):
    """A promise that does not hold; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whose promise it is, whether it holds, and what was found; if it does not hold, with the cure."""

    about: str
    holds: bool
    text: str


def tried(about: str, promise: Callable[[], str]) -> Finding:
    """Call `promise`: it says what holds, or raises an error that says what does not and what to do."""
    from snowflake.connector.errors import Error

    try:
        return Finding(about, True, promise())
    except (
        Broken,
        FilesError,
        LedgerError,
        MappingError,
        NotConfigured,
        PlanhatError,
        SnowflakeError,
    ) as error:
        return Finding(about, False, str(error))
    except Error as error:
        return Finding(about, False, str(translated(error, "Asking Snowflake")))
