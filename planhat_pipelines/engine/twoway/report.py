"""The account of a run in both directions."""

from __future__ import annotations

from dataclasses import dataclass, field

from planhat_pipelines.engine.report import Report
from planhat_pipelines.ledger import Conflict, NewConflict
from planhat_pipelines.mapping.addresses import masked


@dataclass
class TwoWayReport:
    """What went to Planhat, what came back, and where both sides had changed the same field."""

    sent: Report
    back: Report
    conflicts: list[NewConflict] = field(default_factory=list[NewConflict])

    @property
    def counts(self) -> dict[str, int]:
        """All figures as the ledger keeps them; those of the way back begin with `back_`."""
        back = {f"back_{name}": count for name, count in self.back.counts.items() if name != "recovered"}
        return {**self.sent.counts, **back, "conflicts": len(self.conflicts)}

    @property
    def apart(self) -> int:
        """How many rows of both sides could not be brought together: refused by one of them."""
        return self.sent.verdicts["refused"] + self.back.verdicts["refused"]

    def balance(self) -> None:
        """Raise Unbalanced unless every row and every record has exactly one verdict."""
        self.sent.balance()
        self.back.balance()

    def line(self) -> str:
        """One line for the log."""
        clashes = f"; {len(self.conflicts):,} fields had changed on both sides" if self.conflicts else ""
        return f"{self.sent.line()}; {self.back.line()}{clashes}"


def shown(conflict: NewConflict | Conflict, *, values: bool) -> tuple[str, str, str]:
    """Its key and the values of Snowflake and Planhat. Unless `values` says to show them, of a value only the length is
    told, and of an e-mail address that is the key only its start."""
    if values:
        return conflict.row, conflict.snowflake or "", conflict.planhat or ""
    key = masked(conflict.row) if "@" in conflict.row else conflict.row
    return key, length(conflict.snowflake), length(conflict.planhat)


def length(value: str | None) -> str:
    """What is shown of a value that nobody is to see."""
    if not value:
        return "empty"
    return "1 character" if len(value) == 1 else f"{len(value):,} characters"
