"""The ring: a user's newest tokens, packed, ordered by (time, event hash)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from streamer.core.history.token import EVENT_HASH_AT, TOKEN_BYTES, place


class Placement(Enum):
    """What became of a token that was offered to a ring."""

    APPENDED = "appended"
    INSERTED = "inserted"  # late, but nothing that left the ring is newer
    TOO_OLD = "too_old"  # before everything in the ring, and no newer than what left it
    DUPLICATE = "duplicate"


class Placed(NamedTuple):
    """``left``: the tokens that left a full ring, the oldest first; the new one may be among them."""

    placement: Placement
    ring: bytes
    left: bytes


def put(ring: bytes, token: bytes, capacity: int, time_before: float) -> Placed:
    """Put ``token`` in its place in ``ring``, which holds at most ``capacity`` tokens from now on.

    ``time_before``: epoch ms of the newest token that has left the ring, NaN when none has. The ring may
    have had another capacity until now.
    """
    if contains(ring, token):
        return Placed(Placement.DUPLICATE, ring, b"")
    key = place(token, 0)
    if not ring or key >= place(ring, len(ring) - TOKEN_BYTES):
        at, placement = len(ring), Placement.APPENDED
    else:
        at, placement = _position(ring, key), Placement.INSERTED
        if at == 0 and key[0] <= time_before:
            return Placed(Placement.TOO_OLD, ring, b"")
    longer = ring[:at] + token + ring[at:]
    over = max(len(longer) - capacity * TOKEN_BYTES, 0)
    return Placed(placement, longer[over:], longer[:over])


def contains(ring: bytes, token: bytes) -> bool:
    """Whether an event with the hash of ``token``'s event id is in the ring."""
    wanted = token[EVENT_HASH_AT : EVENT_HASH_AT + 4]
    at = ring.find(wanted)
    while at >= 0:
        if at % TOKEN_BYTES == EVENT_HASH_AT:
            return True
        at = ring.find(wanted, at + 1)
    return False


def _position(ring: bytes, key: tuple[int, int]) -> int:
    """Byte at which a token with sorting key ``key`` belongs; late tokens are mostly little late."""
    at = len(ring)
    while at > 0 and place(ring, at - TOKEN_BYTES) > key:
        at -= TOKEN_BYTES
    return at
