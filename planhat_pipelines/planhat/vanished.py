"""What became of an item of which an answer says nothing: the record is as it was sent, or it was dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from planhat_pipelines.planhat import reading
from planhat_pipelines.planhat.catalogue import Field, Model

if TYPE_CHECKING:
    from planhat_pipelines.planhat.client import Planhat
    from planhat_pipelines.planhat.reading import Row

_WHY = {  # Planhat support, import of end users; Planhat developers, ticket
    "enduser": "no company was found for it, by its company id or the domain of its e-mail address",
    "ticket": "a ticket without an e-mail address is ignored",
}


def trace(client: Planhat, model: Model, key: tuple[str, str], body: str) -> str | None:
    """None if Planhat holds every value of the item, else the reason for a refusal. One call."""
    dropped = "dropped without a word"
    if model.name in _WHY:
        dropped += f" (as a rule: {_WHY[model.name]})"
    record = client.record(model, *key) if model.single else None
    if record is None:
        return dropped
    names = differing(cast("Row", reading.parsed(body.encode())), record, model.fields)
    return f"Planhat left {', '.join(names)} as it was and did not say why" if names else None


def differing(sent: Row, held: Row, fields: Mapping[str, Field]) -> list[str]:
    """Names of the sent fields whose value the record does not hold; nothing, null and "" are the same.

    Left out: references by external or source id, which Planhat turns into its own. Dates are compared by
    day.
    """
    names: list[str] = []
    for name, value in sent.items():
        if name == "custom" and isinstance(value, dict):
            custom = held.get("custom")
            inner = cast("Row", custom) if isinstance(custom, dict) else {}
            names += [f"custom.{key}" for key in differing(cast("Row", value), inner, {})]
        elif not _same(value, held.get(name), fields.get(name)):
            names.append(name)
    return names


def _same(sent: Any, held: Any, field: Field | None) -> bool:
    ours, theirs = reading.field_text(sent, field) or "", reading.field_text(held, field) or ""
    if ours == theirs or ours.startswith(("extid-", "srcid-")):
        return True
    day = len(ours) >= 10 and ours[:10].count("-") == 2
    return day and ours[:10] == theirs[:10]
