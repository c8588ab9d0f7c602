"""What the client asks of whoever keeps the tenant's rate budget."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from planhat_pipelines.planhat.errors import OutOfCalls


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


class Limited:
    """A budget that ends after so many calls, on top of the one that all share."""

    def __init__(self, budget: Budget, calls: int) -> None:
        self._budget, self._left = budget, calls

    @contextmanager
    def call(self) -> Generator[None]:
        if self._left < 1:
            raise OutOfCalls("the calls that were allowed for this are used up")
        self._left -= 1
        with self._budget.call():
            yield

    def throttled(self, wait: float) -> None:
        self._budget.throttled(wait)
