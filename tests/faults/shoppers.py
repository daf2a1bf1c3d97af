"""Synthetic shoppers: an endless, seeded stream of what a shop sends, good and bad."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from schemas.event import Event, Item
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire.encoding import Headers, encode_event

START_MS: Final = 1_483_228_800_000

TYPES: Final = (*6 * ("purchase",), "view", "add_to_cart", "remove_from_cart", "search", "refund")
"""Mostly purchases: only who has bought on four days has a usual, without which nobody is alarmed about."""

MALFORMED: Final = (b"click!", b"", b"[1,2]", b'{"event_id":"e","user_id":"u","type":"purchase"}', b"\xff{")
MESSAGE_PACK: Final = (("content-type", b"application/msgpack"),)

LATE_SHARE: Final = 0.03
DUPLICATE_SHARE: Final = 0.03
MALFORMED_SHARE: Final = 0.004
UNKNOWN_TYPE_SHARE: Final = 0.004
MESSAGE_PACK_SHARE: Final = 0.1
STILL_HEARD: Final = 10
# So near that both copies lie within one user's ring.
DUPLICATES_AMONG: Final = 40


class Sent(NamedTuple):
    """One record of the events topic; ``timestamp_ms`` is its Kafka timestamp, the moment it is sent."""

    key: bytes
    value: bytes
    timestamp_ms: int
    headers: Headers = ()


class Shopper(NamedTuple):
    """A user with a pace of its own, days between visits, who falls silent for good at ``stops_ms``."""

    user_id: str
    pace_days: float
    stops_ms: float


class Shoppers:
    """``users`` shoppers at a time; whoever falls silent is replaced by a new one.

    The same seed gives the same records in the same order, however many are asked for.
    """

    def __init__(self, seed: int, users: int, start_ms: int = START_MS) -> None:
        self._random = random.Random(f"shoppers {seed}")
        self._visits: list[tuple[float, int, Shopper]] = []
        self._users = 0
        self._events = 0
        self._recent: list[Sent] = []
        self._silent: list[str] = []
        self._now_ms = start_ms
        self._seed = seed
        for _ in range(users):
            shopper = self._new(start_ms)
            self._visit(shopper, start_ms + self._random.uniform(0, shopper.pace_days) * DAY_MS)

    def stream(self) -> Iterator[Sent]:
        """Records in the order in which they are sent, without end."""
        while True:
            at_ms, _, shopper = heapq.heappop(self._visits)
            self._now_ms = int(at_ms)
            if at_ms >= shopper.stops_ms:
                self._silent.append(shopper.user_id)
                self._visit(self._new(at_ms), at_ms)
                continue
            yield self._record(shopper, int(at_ms))
            yield from self._nuisances(int(at_ms))
            self._visit(shopper, at_ms + self._random.expovariate(1 / shopper.pace_days) * DAY_MS)

    def silent(self) -> list[str]:
        """Users who have fallen silent for good, but for the last: a second copy of theirs may still come."""
        return self._silent[:-STILL_HEARD]

    def now_ms(self) -> int:
        """The moment of the newest event, epoch milliseconds."""
        return self._now_ms

    def _new(self, now_ms: float) -> Shopper:
        self._users += 1
        draw = self._random
        lifetime_days = draw.expovariate(1 / 150)
        return Shopper(self._name(self._users), draw.uniform(1, 5), now_ms + lifetime_days * DAY_MS)

    def _name(self, number: int) -> str:
        """An id that is found again wherever it is left: none begins or ends as another one does."""
        return f"u{number}-{sha256(f'{self._seed} {number}'.encode()).hexdigest()[:24]}"

    def _visit(self, shopper: Shopper, at_ms: float) -> None:
        heapq.heappush(self._visits, (at_ms, self._users, shopper))

    def _record(self, shopper: Shopper, now_ms: int) -> Sent:
        draw = self._random
        self._events += 1
        late_ms = int(draw.expovariate(1 / 12) * HOUR_MS) if draw.random() < LATE_SHARE else 0
        kind = draw.choice(TYPES)
        items = tuple(
            Item(f"i{draw.randrange(500)}", f"c{draw.randrange(12)}", price=round(draw.uniform(1, 40), 2))
            for _ in range(draw.randrange(4))
        )
        value = round(draw.uniform(1, 90), 2) if kind in ("purchase", "refund") else None
        event = Event(f"e{self._events}", shopper.user_id, kind, now_ms - late_ms, items, value=value)
        key = shopper.user_id.encode()
        if draw.random() < MESSAGE_PACK_SHARE:
            sent = Sent(key, msgspec.msgpack.encode(event_fields(event)), now_ms, MESSAGE_PACK)
        else:
            sent = Sent(key, encode_event(event), now_ms)
        self._recent = [*self._recent[-DUPLICATES_AMONG:], sent]
        return sent

    def _nuisances(self, now_ms: int) -> Iterator[Sent]:
        draw = self._random
        if draw.random() < DUPLICATE_SHARE:
            yield draw.choice(self._recent)._replace(timestamp_ms=now_ms)
        if draw.random() < MALFORMED_SHARE:
            yield Sent(f"bad{draw.randrange(50)}".encode(), draw.choice(MALFORMED), now_ms)
        if draw.random() < UNKNOWN_TYPE_SHARE:
            wink = Event(f"w{self._events}", self._name(draw.randrange(self._users) + 1), "wink", now_ms)
            yield Sent(wink.user_id.encode(), encode_event(wink), now_ms)


def event_fields(event: Event) -> dict[str, object]:
    """The event as the fields of the contract, for a sender of MessagePack."""
    fields: dict[str, object] = {
        "event_id": event.event_id,
        "user_id": event.user_id,
        "type": event.type,
        "timestamp": event.timestamp,
        "items": [
            {"item_id": item.item_id, "category": item.category, "price": item.price} for item in event.items
        ],
    }
    return fields if event.value is None else {**fields, "value": event.value}
