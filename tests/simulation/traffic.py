"""What happens in a simulated shop: visits, as they are drawn, become records of one partition's log."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from schemas.event import Event
from schemas.units import DAY_MS, HOUR_MS
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.history.token import tokenise

START_MS = 1_483_228_800_000
"""Midnight, so that many visits fall just before or after a day's end."""

AGAIN = "again"
"""The kind of a visit that delivers an earlier record a second time."""


class Visit(NamedTuple):
    """``gap_ms`` after the visit before, user number ``user`` does ``kind``.

    ``late_ms``: how far the event's own time lies before its record's Kafka timestamp; negative when ahead.
    A visit of kind ``again`` delivers the record ``user`` places before the newest once more.
    """

    gap_ms: int
    user: int
    kind: str
    late_ms: int = 0


GAPS_MS = (0, 0, 5_000, 45_000, HOUR_MS, 9 * HOUR_MS, DAY_MS, 2 * DAY_MS, 5 * DAY_MS)
LATE_MS = (0, 0, 0, 0, -20_000, -2 * HOUR_MS, 30_000, 3 * HOUR_MS, 2 * DAY_MS, 15 * DAY_MS, 50 * DAY_MS)
KINDS = ("view", "remove_from_cart", "remove_from_cart", "purchase", "purchase", "refund", AGAIN)
USERS = 8
VISITS = [Visit(*fields) for fields in product(GAPS_MS, range(USERS), KINDS, LATE_MS)]


class Delivery(NamedTuple):
    """One record of the log, and the event that it holds."""

    event: Event
    record: PartitionEvent


class Log:
    """The partition's records, and the shop's time. ``crowd`` makes user ids differ between runs."""

    def __init__(self, crowd: int) -> None:
        self.now_ms = START_MS
        self.deliveries: list[Delivery] = []
        self._crowd = crowd

    def user_id(self, user: int) -> str:
        """The id of user number ``user``."""
        return f"{self._crowd}-{user}"

    def append(self, visit: Visit) -> None:
        """Let the visit happen."""
        self.now_ms += visit.gap_ms
        offset = len(self.deliveries)
        if visit.kind == AGAIN:
            if visit.user >= offset:
                return
            event = self.deliveries[-1 - visit.user].event
        else:
            user_id = self.user_id(visit.user)
            time_ms = self.now_ms - visit.late_ms
            value = (6.0 if visit.kind == "purchase" else 1.5) * (offset % 7)
            event = Event(f"e{offset}", user_id, visit.kind, time_ms, value=value)
        record = PartitionEvent(offset, self.now_ms, event.user_id, tokenise(event))
        self.deliveries.append(Delivery(event, record))
