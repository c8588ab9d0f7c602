"""What the client asks of whoever keeps the tenant's rate budget."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Budget(Protocol):
    """Turns of one tenant: 200 calls a minute and 50 at once (Planhat developers, limits)."""

    def call(self) -> AbstractContextManager[None]:
        """Wait for a turn; hold it while the call is under way."""
        ...

    def throttled(self, wait: float) -> None:
        """Planhat asked for a pause of so many seconds: nobody's next turn comes sooner."""
        ...


class Unlimited:
    """A budget that never waits: the analytics host has no call limit."""

    @contextmanager
    def call(self) -> Generator[None]:
        yield

    def throttled(self, wait: float) -> None:
        pass
