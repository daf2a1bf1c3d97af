"""A shop for the benchmark: what users do, as tokens of their past and as events to come."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.event import EVENT_TYPE_CODES, Event, Item
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire.encoding import encode_event
from streamer.core.history.token import TOKEN, TokenArray, hash_text
from streamer.kafka.publishing import KeyedRecord

START_MS: Final = 1_748_822_400_000
"""The moment of the first event to come, 2025-06-02T00:00:00Z; the past ends an hour before."""

EVENT_EVERY_MS: Final = 2
"""So far apart in event time that no silence begins while the benchmark runs."""

ITEMS: Final = 2_000
CATEGORIES: Final = 40
SHARES: Final = {"view": 0.5, "search": 0.12, "add_to_cart": 0.16, "remove_from_cart": 0.05, "purchase": 0.17}
VISIT: Final = 8
"""Events of a visit in the past."""

_TYPES: Final = tuple(SHARES)
_CODES: Final = np.array([EVENT_TYPE_CODES[name] for name in _TYPES], np.uint8)
_ITEM_IDS: Final = tuple(f"item-{number:05d}" for number in range(ITEMS))
_CATEGORIES: Final = tuple(f"category {number:02d}" for number in range(CATEGORIES))
_ITEM_HASHES: Final = np.array([hash_text(name) for name in _ITEM_IDS], np.uint32)
_CATEGORY_HASHES: Final = np.array([hash_text(name) for name in _CATEGORIES], np.uint32)


class _Actions(NamedTuple):
    """Indices into the types and items, and the prices, all of one shape."""

    kinds: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float32]


def histories(users: int, tokens: int, rng: np.random.Generator) -> TokenArray:
    """Packed tokens ``[users, tokens]``, the oldest first, the newest 1 to 18 hours before ``START_MS``."""
    actions = _actions((users, tokens), rng)
    gaps = rng.integers(20_000, 90_000, size=(users, tokens))
    visits = np.arange(tokens) % VISIT == 0
    gaps[:, visits] += (rng.gamma(2.0, 2.0, size=(users, int(visits.sum()))) * DAY_MS).astype(np.int64)
    ends = START_MS - rng.integers(1 * HOUR_MS, 18 * HOUR_MS, size=(users, 1))
    found = np.empty((users, tokens), TOKEN)
    since_start = np.cumsum(gaps, axis=1)
    found["time"] = ends - since_start[:, -1:] + since_start
    found["event"] = event_hashes((users, tokens), rng)
    found["item"] = _ITEM_HASHES[actions.items]
    found["category"] = _CATEGORY_HASHES[actions.items % CATEGORIES]
    found["value"] = actions.prices
    found["type"] = _CODES[actions.kinds]
    found["lines"] = 1
    return found


def event_hashes(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.uint32]:
    """Hashes of event ids that never were."""
    return rng.integers(1, 2**32, size=shape, dtype=np.uint32)


def user_id(number: int) -> str:
    """The id of the user with this number."""
    return f"user-{number:07d}"


class Till:
    """Makes events, each later than the one before."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._made = 0
        self.newest_ms: dict[bytes, int] = {}
        """Event time of the last event made for each user, by key."""

    def records(self, users: npt.NDArray[np.int64]) -> list[KeyedRecord]:
        """One event for each of ``users``, in this order, as records of an events topic."""
        actions = _actions(users.shape, self._rng)
        columns = (users.tolist(), actions.kinds.tolist(), actions.items.tolist(), actions.prices.tolist())
        records: list[KeyedRecord] = []
        for user, kind, item, price in zip(*columns, strict=True):
            self._made += 1
            time_ms = START_MS + self._made * EVENT_EVERY_MS
            bought = Item(_ITEM_IDS[item], _CATEGORIES[item % CATEGORIES], "national", round(price, 2), 1)
            who = user_id(user)
            event = Event(f"event-{self._made:09d}", who, _TYPES[kind], time_ms, (bought,))
            key = who.encode()
            self.newest_ms[key] = time_ms
            records.append((key, encode_event(event), time_ms))
        return records


def _actions(shape: tuple[int, ...], rng: np.random.Generator) -> _Actions:
    kinds = rng.choice(len(_TYPES), size=shape, p=list(SHARES.values()))
    items = np.minimum(rng.zipf(1.3, size=shape), ITEMS) - 1
    prices = np.round(np.exp(rng.normal(2.0, 0.8, size=shape)), 2).astype(np.float32)
    return _Actions(kinds, items, prices)
