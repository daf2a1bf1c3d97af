"""One event as one token: 26 packed bytes that depend on no model bundle.

Items and categories are kept as 32-bit hashes, so that a new bundle with another vocabulary can be
taken up from the same stored tokens.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import numpy.typing as npt

from schemas.event import EVENT_TYPE_CODES, EVENT_TYPES, SHOP_ACTIONS

if TYPE_CHECKING:
    from schemas.event import Event, Item

TOKEN = np.dtype(
    [
        ("time", "<i8"),  # event time, epoch milliseconds
        ("event", "<u4"),  # hash of the event id: duplicates are seen by it
        ("item", "<u4"),  # hash of the dearest item's id, 0 for none
        ("category", "<u4"),  # hash of that item's category, 0 for none
        ("value", "<f4"),  # money moved by the event, NaN when unknown
        ("type", "u1"),  # index into EVENT_TYPES
        ("lines", "u1"),  # number of items, at most 255
    ]
)
TOKEN_BYTES = TOKEN.itemsize
EVENT_HASH_AT = 8
_TYPE_AT = 24 - TOKEN_BYTES
PURCHASE = EVENT_TYPES.index("purchase")
REFUND = EVENT_TYPES.index("refund")
_SHOP_CODES = frozenset(EVENT_TYPE_CODES[name] for name in SHOP_ACTIONS)
# By the type's byte; looked up for every token, so no search.
_ACTS = np.array([code not in _SHOP_CODES for code in range(256)])

TokenArray = npt.NDArray[np.void]
"""Array of :data:`TOKEN` records."""

_PACKED = struct.Struct("<qIIIfBB")
_ORDER = struct.Struct("<qI")


def hash_text(text: str | None) -> int:
    """32-bit hash of an identifier, never 0 for a text; 0 stands for its absence.

    >>> hash_text("829323"), hash_text(None), hash_text("")
    (2074351104, 0, 0)
    """
    return (crc32(text.encode()) or 1) if text else 0


def is_foreign(event: Event, currency: str | None) -> bool:
    """Whether the event's amounts are in another currency than ``currency``; one that names none is not."""
    return currency is not None and event.currency is not None and event.currency.upper() != currency


def tokenise(event: Event, currency: str | None = None) -> bytes:
    """The token of an event whose type is one of :data:`~schemas.event.EVENT_TYPES`.

    ``currency``: the only one, in capitals, whose amounts are known; ``None`` takes all alike.
    """
    dearest = dearest_item(event)
    return _PACKED.pack(
        event.timestamp,
        hash_text(event.event_id),
        hash_text(dearest.item_id) if dearest else 0,
        hash_text(dearest.category) if dearest else 0,
        math.nan if is_foreign(event, currency) else _money(event),
        EVENT_TYPE_CODES[event.type],
        min(len(event.items), 255),
    )


def dearest_item(event: Event) -> Item | None:
    """The item that the event's token stands for."""
    items = event.items
    return max(items, key=_worth) if len(items) > 1 else items[0] if items else None


def place(ring: bytes, at: int) -> tuple[int, int]:
    """Sorting key (time, event hash) of the token that starts at byte ``at``.

    The hash breaks ties of time, so that a ring's order never depends on the order of arrival.
    """
    return _ORDER.unpack_from(ring, at)


def type_code(tokens: bytes) -> int:
    """Index of the last token's type in :data:`~schemas.event.EVENT_TYPES`."""
    return tokens[_TYPE_AT]


def is_action(token: bytes) -> bool:
    """Whether the last token is something that the customer did, not the shop."""
    return type_code(token) not in _SHOP_CODES


def are_actions(tokens: TokenArray) -> npt.NDArray[np.bool_]:
    """:func:`is_action` of each token, ``[tokens]``."""
    return _ACTS[tokens["type"]]


def newest_action(ring: bytes) -> int | None:
    """Index of the type of the newest token that is the customer's action, ``None`` where there is none."""
    types = ring[TOKEN_BYTES + _TYPE_AT :: TOKEN_BYTES]
    return next((code for code in reversed(types) if code not in _SHOP_CODES), None)


def as_array(tokens: bytes) -> TokenArray:
    """Read-only view of packed tokens as an array of :data:`TOKEN` records."""
    return np.frombuffer(tokens, dtype=TOKEN)


def _worth(item: Item) -> float:
    price, quantity = item.price, item.quantity
    if price is None:
        return 0.0
    return price if quantity is None else price * quantity


def _money(event: Event) -> float:
    if event.value is not None:
        return event.value
    if len(event.items) == 1:
        # What the sum below makes of one number: itself, but for a negative zero.
        return math.nan if event.items[0].price is None else _worth(event.items[0]) + 0.0
    if event.items and all(item.price is not None for item in event.items):
        return math.fsum(_worth(item) for item in event.items)
    return math.nan
