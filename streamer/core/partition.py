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


class Rules(NamedTuple):
    """What holds for every partition of a deployment: the policy, and the bundle's idea of churn.

    ``partitions``: of the events topic, among which the daily budget is shared out.
    """

    policy: Policy
    any_event_returns: bool
    partitions: int


class Partition:
    """In-memory side of a partition; it runs ahead of the store until the batch is committed."""

    def __init__(self, number: int, rules: Rules, model: RiskModel) -> None:
        self.number = number
        self.clock_ms = NEVER_MS
        self._deadlines = Deadlines()
        self._held: set[str] = set()
        self._rules = rules
        self._model = model

    def adopt(self, user_id: str, state: UserState | None) -> None:
        """Keep track of a user's deadline, and of whether a decision waits for the partition to catch up."""
        self._held.discard(user_id)
        if state is None:
            self._deadlines.drop(user_id)
            return
        self._deadlines.put(user_id, state.deadline_ms)
        if state.standing.obstacle == "lag":
            self._held.add(user_id)

    def apply(
        self, read: ReadState, events: Sequence[PartitionEvent], now_ms: int | None, *, held: bool = False
    ) -> Applied:
        """Apply ``events`` in offset order, and every decision that time has made due.

        ``now_ms``: wall time where it may move the clock, else ``None``. ``held``: the partition lags behind
        wall time, so raises and escalations wait; the first batch without it takes them up again.
        """
        horizons = self._move_clock(events, now_ms)
        arrivals: dict[str, list[Arrival]] = {}
        for record, event in enumerate(events):
            arrivals.setdefault(event.user_id, []).append(Arrival(record, event.offset, event.token))
        due = self._deadlines.take_due(horizons[-1])
        taken_up = [] if held else sorted(self._held)
        states = {user_id: read(user_id) for user_id in (*arrivals, *due, *taken_up)}
        for user_id in taken_up:
            if (state := states[user_id]) is not None:
                state.deadline_ms = min(state.deadline_ms, horizons[-1])
        policy = self._rules.policy
        setting = Setting(
            self.number,
            horizons,
            policy,
            self._model.silence_grid_ms,
            self._model.ring_tokens,
            self._rules.any_event_returns,
            held,
        )
        budget = policy.budget_of(self.number, self._rules.partitions)
        applied = apply(states, arrivals, setting, self._model, budget)
        for user_id, state in applied.states.items():
            self.adopt(user_id, state)
        return applied

    def _move_clock(self, events: Sequence[PartitionEvent], now_ms: int | None) -> list[int]:
        """Due moments after each event, and one more for the end of the batch."""
        disorder_ms = self._rules.policy.disorder_ms
        horizons: list[int] = []
        clock = self.clock_ms
        for event in events:
            clock = advance_clock(clock, place(event.token, 0)[0], event.record_ms)
            horizons.append(clock - disorder_ms)
        self.clock_ms = clock if now_ms is None else max(clock, now_ms)
        horizons.append(self.clock_ms - disorder_ms)
        return horizons
