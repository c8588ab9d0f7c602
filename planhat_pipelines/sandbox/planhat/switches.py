"""What nobody outside knows about Planhat, as switches: a name, a default, the choices, and why it is open.

A test turns them to prove that a client copes either way. Without a switch, because no form of theirs is known at all:
custom models, custom keyables, the Add and Remove operations on arrays (refused loudly), file imports.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

BULK_ITEMS = 5_000
BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    default: Any
    choices: tuple[Any, ...]  # empty: any value of the default's type
    why: str


_ALL = (
    Switch(
        "error_elements",
        "text",
        ("text", "object"),
        "The shape of an element of createdErrors is not documented.",
    ),
    Switch(
        "all_failed_body",
        "arrays",
        ("arrays", "text"),
        "When every item fails, the 400 may carry arrays or a string.",
    ),
    Switch(
        "racing_inserts",
        "duplicate",
        ("duplicate", "update"),
        "A key inserted twice in one array, or by two requests at once: the second fails, or updates the first.",
    ),
    Switch(
        "no_op_moves_stamp", False, (True, False), "Whether an update that changes nothing moves updatedAt."
    ),
    Switch(
        "null_on_standard", "clear", ("clear", "ignore"), "Whether null clears an optional standard field."
    ),
    Switch(
        "read_only_fields",
        "ignore",
        ("ignore", "refuse"),
        "Read-only fields in a body: ignored, or an error.",
    ),
    Switch(
        "id_in_single_body",
        "refuse",
        ("refuse", "ignore"),
        "_id in the body of a single update was seen to give 400.",
    ),
    Switch(
        "unknown_fields", "ignore", ("ignore", "refuse"), "Top-level fields that the model does not have."
    ),
    Switch(
        "unknown_custom_fields", "store", ("store", "drop", "refuse"), "Custom names without a definition."
    ),
    Switch(
        "unknown_list_values",
        "refuse",
        ("refuse", "store", "drop"),
        "Values that are not in a custom field's list.",
    ),
    Switch(
        "wrong_types",
        "refuse",
        ("refuse", "store"),
        "A value that does not fit its field, such as text in a number.",
    ),
    Switch("empty_array", "empty", ("empty", "refuse"), "A bulk upsert of no items: an empty 200, or 400."),
    Switch(
        "denied_bulk",
        "store_rest",
        ("store_rest", "store_none"),
        "On 403, whether the permitted items are stored.",
    ),
    Switch(
        "bulk_items",
        BULK_ITEMS,
        (),
        "The documented maximum of items in a bulk upsert; more is refused with 400.",
    ),
    Switch(
        "body_bytes",
        BODY_BYTES,
        (),
        "The documented maximum of a body, in bytes; a larger one is refused with 413.",
    ),
    Switch("text_413", "Payload Too Large", (), "The body of a 413."),
    Switch("text_429", "Too many requests", (), "The body of a 429."),
    Switch("delete_missing", "zero", ("zero", "404"), "Deleting an unknown id: deletedCount 0, or 404."),
    Switch(
        "ticket_creates_enduser",
        True,
        (True, False),
        "A ticket from an unknown address may create the enduser.",
    ),
    Switch(
        "conversation_types",
        ["note", "meeting"],
        (),
        "The types this tenant knows; any other becomes a note. email, chat, ticket and call cannot be created.",
    ),
    Switch("derived_money", True, (True, False), "Compute company revenue and status from the licences."),
    Switch(
        "derived_moves_stamp",
        True,
        (True, False),
        "Whether such a computed change moves the company's lastUpdated.",
    ),
    Switch(
        "read_quirks",
        False,
        (True, False),
        "Odd reads as met: embedded owner, roles and _currency, ',a,b,' for lists.",
    ),
    Switch(
        "thin_lists", False, (True, False), "Lists without `select` were once seen to leave out most fields."
    ),
    Switch(
        "list_order",
        "as_asked",
        ("as_asked", "oldest_first", "newest_first"),
        "Whether lists honour `sort`. Careful clients check it page by page, and else read everything.",
    ),
    Switch(
        "equal_stamps",
        "in_order",
        ("in_order", "shuffled"),
        "Records with the same update stamp: in one order, or in another on every page, as databases may.",
    ),
    Switch(
        "update_stamps",
        "documented",
        ("documented", "updatedAt", "some", "none"),
        "Companies are documented with lastUpdated; updatedAt and lists without any stamp were seen as well.",
    ),
    Switch(
        "analytics_body", "counts", ("counts", "empty"), "The answer to metrics: {processed, errors}, or {}."
    ),
    Switch(
        "unknown_tenant",
        "200",
        ("200", "404"),
        "Data for an unknown tenant token: 200 with nothing stored, or 404.",
    ),
    Switch("metrics_delay_seconds", 0.0, (), "How long before a point can be read back."),
    Switch(
        "soft_limit",
        "count",
        ("count", "refuse", "off"),
        "200 calls a minute are said to be soft: only counted, or answered with 429.",
    ),
    Switch("soft_limit_per_minute", 200, (), "The soft limit."),
    Switch("hard_limit_per_second", 150, (), "The hard limit; above it 429."),
    Switch("parallel_requests", 50, (), "Requests at once; above it 429."),
    Switch(
        "rate_headers",
        "X-Rate-Limit",
        ("X-Rate-Limit", "x-ratelimit", "none"),
        "Two families of rate headers were seen; neither is documented.",
    ),
    Switch("retry_after_seconds", 0, (), "Retry-After on a 429; 0 sends none, as nobody documents one."),
)
SWITCHES = {switch.name: switch for switch in _ALL}


class BadSwitch(ValueError):
    """An unknown switch, or a value it does not take."""


class Switches:
    """The current settings. Read with `switches["name"]`."""

    def __init__(self, changed: dict[str, Any] | None = None) -> None:
        self.changed: dict[str, Any] = {}
        self.set(changed or {})

    def __getitem__(self, name: str) -> Any:
        return self.changed.get(name, SWITCHES[name].default)

    def set(self, values: dict[str, Any]) -> None:
        """Change some; None goes back to the default. Raises BadSwitch and then changes nothing."""
        for name, value in values.items():
            switch = SWITCHES.get(name)
            if switch is None:
                raise BadSwitch(f"no switch {name!r}; there are {', '.join(SWITCHES)}")
            if value is not None and not _fits(switch, value):
                raise BadSwitch(
                    f"{name} takes {switch.choices or type(switch.default).__name__}, not {value!r}"
                )
        for name, value in values.items():
            if value is None or value == SWITCHES[name].default:
                self.changed.pop(name, None)
            else:
                self.changed[name] = value

    def describe(self) -> list[dict[str, Any]]:
        return [asdict(switch) | {"value": self[switch.name]} for switch in _ALL]


def _fits(switch: Switch, value: Any) -> bool:
    if switch.choices:
        return value in switch.choices and isinstance(value, type(switch.default))
    if isinstance(switch.default, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return isinstance(value, type(switch.default))
