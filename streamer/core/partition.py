"""One partition: its clock, its users' deadlines, and batches of events applied to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamer.core.apply import Applied, apply
from streamer.core.clock import NEVER_MS, advance_clock
from streamer.core.deadlines import Deadlines
from streamer.core.follow import Arrival, Setting
from streamer.core.model import RiskModel
from streamer.core.policy import Policy
from streamer.core.token import place
from streamer.core.user_state import UserState

ReadState = Callable[[str], UserState | None]


class PartitionEvent(NamedTuple):
    """A decoded event. ``record_ms`` is its record's Kafka timestamp, epoch milliseconds."""

    offset: int
    record_ms: int
    user_id: str
    token: bytes


class Partition:
    """In-memory side of a partition; it runs ahead of the store until the batch is committed."""

    def __init__(self, number: int, policy: Policy, model: RiskModel) -> None:
        self.number = number
        self.clock_ms = NEVER_MS
        self.deadlines = Deadlines()
        self._policy = policy
        self._model = model

    def apply(self, read: ReadState, events: Sequence[PartitionEvent], now_ms: int | None) -> Applied:
        """Apply ``events`` in offset order, and every decision that time has made due.

        ``now_ms``: wall time where it may move the clock, else ``None``.
        """
        horizons = self._move_clock(events, now_ms)
        arrivals: dict[str, list[Arrival]] = {}
        for record, event in enumerate(events):
            arrivals.setdefault(event.user_id, []).append(Arrival(record, event.offset, event.token))
        due = self.deadlines.take_due(horizons[-1])
        states = {user_id: read(user_id) for user_id in (*arrivals, *due)}
        setting = Setting(
            self.number,
            horizons,
            self._policy,
            self._model.silence_grid_ms,
            self._model.ring_tokens,
        )
        applied = apply(states, arrivals, setting, self._model)
        for user_id, state in applied.states.items():
            if state is None:
                self.deadlines.drop(user_id)
            else:
                self.deadlines.put(user_id, state.deadline_ms)
        return applied

    def _move_clock(self, events: Sequence[PartitionEvent], now_ms: int | None) -> list[int]:
        """Due moments after each event, and one more for the end of the batch."""
        horizons: list[int] = []
        clock = self.clock_ms
        for event in events:
            clock = advance_clock(clock, place(event.token, 0)[0], event.record_ms)
            horizons.append(clock - self._policy.disorder_ms)
        self.clock_ms = clock if now_ms is None else max(clock, now_ms)
        horizons.append(self.clock_ms - self._policy.disorder_ms)
        return horizons
