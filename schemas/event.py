"""The event: what a shop sends (``EventMessage``) and what the program works with (``Event``).

``EventMessage`` is the wire's shape with every freedom the contract leaves a sender: a time as text or as
a number, one item at the top level, parts left out or null. ``Event`` is the one shape behind it.
Fields may be added with defaults; their names and types never change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

EVENT_TYPES: Final[tuple[str, ...]] = (
    "view",
    "click",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "favorite",
    "purchase",
    "refund",
    "review",
    "coupon_received",
    "coupon_redeemed",
    "support_contact",
)
"""The known types in the contract's order. The index is the type's code in stored tokens: append only."""

EVENT_TYPE_CODES: Final[dict[str, int]] = {name: code for code, name in enumerate(EVENT_TYPES)}

SHOP_ACTIONS: Final = frozenset({"coupon_received"})
"""Types of what the shop does to a customer: no sign of life, whatever a bundle foretells the absence of."""


def is_customer_action(event_type: str) -> bool:
    """Whether an event of this type is something that the customer did."""
    return event_type not in SHOP_ACTIONS


def is_return(event_type: str, any_event_returns: bool) -> bool:
    """Whether an event of this type ends an absence: of purchases, or of anything that the customer does."""
    return is_customer_action(event_type) if any_event_returns else event_type == "purchase"


MAX_EVENT_BYTES: Final = 1024 * 1024
MAX_ID_LENGTH: Final = 256
MAX_NUMBER: Final = 1e15
"""Largest magnitude of an amount: sums of billions of them stay finite and exact to a cent at 1e13."""

Identifier = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_ID_LENGTH, description="1 to 256 characters, none of them U+0000"),
]
Label = Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
Number = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Duration = Annotated[float, Meta(ge=0, le=MAX_NUMBER)]
Currency = Annotated[str, Meta(min_length=1, max_length=16, description="ISO 4217 code where there is one")]
EventTime = (
    Annotated[int, Meta(description="milliseconds since 1970-01-01T00:00:00Z")]
    | Annotated[datetime, Meta(tz=True, description="RFC 3339, with a zone")]
)
EventType = Annotated[
    str,
    Meta(
        description="one of: " + ", ".join(EVENT_TYPES) + "; an event of another type is skipped and counted",
        examples=["purchase"],
    ),
]


class Item(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One line of an event. Price is per unit; a negative quantity or price is a line given back."""

    item_id: Identifier | None = None
    category: Label | None = None
    brand: Label | None = None
    price: Number | None = None
    quantity: Number | None = None


class Event(Struct, frozen=True, gc=False):
    """An event after decoding: ids checked, time in epoch milliseconds, one item always in ``items``."""

    event_id: str
    user_id: str
    type: str
    timestamp: int
    items: tuple[Item, ...] = ()
    value: float | None = None
    currency: str | None = None
    duration_ms: float | None = None
    rating: float | None = None
    text: str | None = None
    query: str | None = None
    session_id: str | None = None
    unknown_fields: int = 0
    """How many fields it carried that the contract does not know."""
    unreadable: tuple[str, ...] = ()
    """Amounts of a platform's event that could not be read, by the contract's names; they are unknown."""


class Skipped(Struct, frozen=True, gc=False):
    """A well-formed record that is none of the known events; ``reason`` names a counter.

    ``spelling``: how its sender writes the type that is not known, empty where it names the user.
    """

    reason: str
    spelling: str = ""


class StrictEventMessage(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The wire's event without room for unknown fields: what nearly every event decodes as."""

    event_id: Identifier
    user_id: Identifier
    type: EventType
    timestamp: EventTime
    items: tuple[Item, ...] | None = None
    value: Number | None = None
    currency: Currency | None = None
    duration_ms: Duration | None = None
    rating: Number | None = None
    text: str | None = None
    query: str | None = None
    session_id: Identifier | None = None
    item_id: Identifier | None = None
    category: Label | None = None
    brand: Label | None = None
    price: Number | None = None
    quantity: Number | None = None


class ItemMessage(Item, frozen=True, gc=False, forbid_unknown_fields=False):
    """``Item`` as a sender may write it: fields that the contract does not know are ignored and counted."""


class EventMessage(StrictEventMessage, frozen=True, gc=False, forbid_unknown_fields=False):
    """The event as a sender may write it. ``item_id`` to ``quantity``: a one-item event's item."""

    items: tuple[ItemMessage, ...] | None = None


class EventEnvelope(Struct, frozen=True, gc=False):
    """The four required fields: all that is asked of an event of an unknown type."""

    event_id: Identifier
    user_id: Identifier
    type: EventType
    timestamp: EventTime
