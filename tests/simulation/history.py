"""A user's history as the contract has it: every distinct event, in the order of event time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable
from typing import NamedTuple
from zlib import crc32

from schemas.event import Event
from schemas.units import DAY_MS

HALF_LIFE_MS = 45 * DAY_MS


class Past(NamedTuple):
    """An event that found its place in the history; the order is that of time, then of the id's hash."""

    time_ms: int
    id_hash: int
    kind: str
    spent: float


class Sums(NamedTuple):
    """What an event changes even if it is too old for a place among the others."""

    first_ms: int
    events: int


class Usual(NamedTuple):
    """Visit days and money a day, days between two visits, and when the last one was."""

    visit_days: float
    spend: float
    gap_days: float
    last_ms: int

    def overdue_ms(self, gaps: float) -> float:
        """When so many usual gaps have passed since the last visit."""
        return self.last_ms + gaps * self.gap_days * DAY_MS


class History:
    """``placed``: events in order, of which all but the ``left`` oldest are in the ring.

    ``counted``: how many more came too late for a place among them. ``usual``: what has been found to be
    usual since the newest one was placed.
    """

    def __init__(self) -> None:
        self.placed: list[Past] = []
        self.left = 0
        self.counted = 0
        self.first_ms = 0
        self.offset = -1
        self.ids: set[str] = set()
        self.repeated = 0
        self.usual: dict[Hashable, Usual | None] = {}

    def observe(self, event: Event, offset: int, ring_tokens: int) -> str:
        """Take an event in; returns ``duplicate``, ``too old``, ``late`` or ``newest``."""
        spent = {"purchase": event.value or 0.0, "refund": -(event.value or 0.0)}.get(event.type, 0.0)
        past = Past(event.timestamp, crc32(event.event_id.encode()), event.type, spent)
        if any(other.id_hash == past.id_hash for other in self.ring):
            return "duplicate"
        self.offset = offset
        self.repeated += event.event_id in self.ids
        self.ids.add(event.event_id)
        self.first_ms = min(self.first_ms, past.time_ms) if self.placed else past.time_ms
        before = self.before_ring_ms
        if before is not None and past[:2] < self.ring[0][:2] and past.time_ms <= before:
            self.counted += 1
            return "too old"
        newest = bisect_left(self.placed, past) == len(self.placed)
        insort(self.placed, past)
        self.usual.clear()
        self.left = max(self.left, len(self.placed) - ring_tokens)
        return "newest" if newest else "late"

    @property
    def sums(self) -> Sums:
        return Sums(self.first_ms, len(self.placed) + self.counted)

    @property
    def ring(self) -> list[Past]:
        return self.placed[self.left :]

    @property
    def last_ms(self) -> int:
        return self.placed[-1].time_ms

    @property
    def before_ring_ms(self) -> int | None:
        """Time of the newest event that the ring no longer holds."""
        return self.placed[self.left - 1].time_ms if self.left else None

    @property
    def visit_days(self) -> int:
        return len({past.time_ms // DAY_MS for past in self.placed})

    @property
    def spend(self) -> float:
        """Decayed money spent, as of the newest event; ranks users for the budget."""
        return max(
            sum(past.spent * 0.5 ** ((self.last_ms - past.time_ms) / HALF_LIFE_MS) for past in self.placed),
            0.0,
        )
