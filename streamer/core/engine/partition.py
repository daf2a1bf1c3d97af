"""One partition: its clock, its users' deadlines, and batches of events applied to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.units import HOUR_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.apply import Applied, apply
from streamer.core.engine.batch_context import BatchContext
from streamer.core.engine.grouped_events import GroupedEvents, PartitionEvent
from streamer.core.erasure import Erasure, last_decisions
from streamer.core.history.token import as_array
from streamer.core.model.risk_model import RiskModel
from streamer.core.timing.clock import NEVER_MS, clock_after, jumps
from streamer.core.timing.deadlines import Deadlines
from streamer.core.user_state import STATE_VERSION, UserState

LAGS_MS = 30_000
"""What is found longer than this after its moment, wall time, is found by a partition that lags."""

ALWAYS_MS = -NEVER_MS
"""A moment that no clock reaches."""

REVIEW_SPREAD_MS = HOUR_MS
"""After a change of policy, model or the states' version every user is looked at again within this time.

One whose newest event is ahead of the clock is looked at once that event's moment has come.
"""

ReadState = Callable[[str], UserState | None]


class Rules(NamedTuple):
    """What holds for every partition of a deployment: the policy, and the bundle's idea of churn.

    ``partitions``: of the events topic, among which the daily budget is shared out. ``longest_gap_ms``: how
    far one event may move the clock; ``None`` where wall time bounds it instead.
    """

    policy: Policy
    any_event_returns: bool
    partitions: int
    longest_gap_ms: int | None = None


class Partition:
    """In-memory side of a partition; it runs ahead of the store until the batch is committed."""

    def __init__(self, number: int, rules: Rules, model: RiskModel) -> None:
        self.number = number
        self.clock_ms = NEVER_MS
        self._deadlines = Deadlines()
        self._held: set[str] = set()
        self._outdated: dict[str, int] = {}
        self._reviews: dict[str, int] = {}
        self._clock_before_ms = NEVER_MS
        self._touched: tuple[str, ...] = ()
        self._rules = rules
        self._model = model
        self._stamp = self._stamp_of(rules, model)

    def take_up(self, rules: Rules, model: RiskModel) -> None:
        """Go on with another model and the rules that go with it, between two batches.

        As when a worker starts anew with them: every user is looked at again within the hour.
        """
        self._rules, self._model = rules, model
        self._stamp = self._stamp_of(rules, model)
        self._outdated = dict(self._deadlines)

    @staticmethod
    def _stamp_of(rules: Rules, model: RiskModel) -> bytes:
        packed_rules = msgspec.json.encode((rules.policy, rules.any_event_returns, STATE_VERSION))
        return sha256(packed_rules + model.identity).digest()[:8]

    def adopt(self, user_id: str, state: UserState | None) -> None:
        """Keep track of a user's deadline, and of whether a decision waits for the partition to catch up."""
        self._held.discard(user_id)
        self._outdated.pop(user_id, None)
        if state is None:
            self._deadlines.drop(user_id)
            return
        self._deadlines.put(user_id, state.deadline_ms)
        if state.alert_state.obstacle == "lag":
            self._held.add(user_id)
        if state.alert_state.stamp != self._stamp:
            self._outdated[user_id] = state.deadline_ms

    def apply(
        self, read: ReadState, events: Sequence[PartitionEvent], now_ms: int | None, *, held: bool = False
    ) -> Applied:
        """Apply ``events`` in offset order, and every decision that time has made due.

        ``now_ms``: wall time where it may move the clock, else ``None``. ``held``: the partition lags behind
        wall time, so raises and escalations wait; the first batch without it takes them up again.
        """
        self._clock_before_ms, self._touched = self.clock_ms, ()
        self._plan_reviews()
        horizons = self._move_clock(events, now_ms)
        grouped = GroupedEvents(events)
        due = self._deadlines.take_due(horizons[-1])
        taken_up = [] if held else sorted(self._held)
        self._touched = (*grouped.user_ids, *due, *taken_up)
        states = {user_id: read(user_id) for user_id in self._touched}
        for user_id, state in states.items() if self._reviews else ():
            review_ms = self._reviews.pop(user_id, None)
            if review_ms is not None and state is not None:
                state.deadline_ms = min(state.deadline_ms, max(review_ms, state.last_ms))
        policy = self._rules.policy
        context = BatchContext(
            self.number,
            self._rules.partitions,
            horizons,
            policy,
            self._model.silence_grid_ms,
            self._model.ring_tokens,
            self._rules.any_event_returns,
            self._model.decline is not None,
            ALWAYS_MS if held else NEVER_MS if now_ms is None else horizons[-1] - LAGS_MS,
            self._stamp,
            self._model.calendar,
        )
        applied = apply(states, grouped, context, self._model)
        for user_id, state in applied.states.items():
            self.adopt(user_id, state)
        return applied

    def jumps(self, events: Sequence[PartitionEvent]) -> dict[int, int]:
        """Offsets of the events that would move the clock too far, and from which moment (epoch ms).

        They are not to be applied.
        """
        longest_gap_ms = self._rules.longest_gap_ms
        if longest_gap_ms is None or not events:
            return {}
        found = jumps(self.clock_ms, *_moments_ms(events), longest_gap_ms)
        return {events[place].offset: from_ms for place, from_ms in found.items()}

    def undo(self, read: ReadState) -> tuple[str, ...]:
        """Take the last batch back, applied or failed on its way; returns the users that it has touched.

        ``read`` gives their states from before the batch, not the objects that it has changed.
        """
        self.clock_ms = self._clock_before_ms
        touched, self._touched = self._touched, ()
        for user_id in touched:
            self.adopt(user_id, read(user_id))
        return touched

    def erase(self, read: ReadState, erasures: Iterable[Erasure]) -> Applied:
        """Forget users; only those who were known are among the states. Time does not move."""
        states: dict[str, UserState | None] = {}
        decisions: list[Decision] = []
        for user_id, requested_ms in erasures:
            state = None if user_id in states else read(user_id)
            if state is None:
                continue
            states[user_id] = None
            decisions += last_decisions(
                user_id, state, requested_ms, self.number, self.clock_ms, self._model.calendar
            )
            self._held.discard(user_id)
            self._outdated.pop(user_id, None)
            self._reviews.pop(user_id, None)
        if states:
            self._deadlines.erase(states)
            self._touched = ()
        return Applied(states, decisions)

    def _plan_reviews(self) -> None:
        """Give those whose deadline other rules have set an earlier one.

        Each user has a moment of the hour, so the load is spread, and a restart in between changes nothing.
        """
        after_ms = self.clock_ms - self._rules.policy.disorder_ms + 1
        for user_id, deadline_ms in self._outdated.items():
            review_ms = after_ms + (crc32(user_id.encode()) - after_ms) % REVIEW_SPREAD_MS
            self._reviews[user_id] = review_ms
            self._deadlines.put(user_id, min(deadline_ms, review_ms))
        self._outdated.clear()

    def _move_clock(self, events: Sequence[PartitionEvent], now_ms: int | None) -> list[int]:
        """Due moments after each event, and one more for the end of the batch."""
        disorder_ms = self._rules.policy.disorder_ms
        clocks_ms = clock_after(self.clock_ms, *_moments_ms(events))
        clock_ms = int(clocks_ms[-1]) if events else self.clock_ms
        self.clock_ms = clock_ms if now_ms is None else max(clock_ms, now_ms)
        return [*(clocks_ms - disorder_ms).tolist(), self.clock_ms - disorder_ms]


def _moments_ms(events: Sequence[PartitionEvent]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """When each event happened, and when its record was written."""
    events_ms: npt.NDArray[np.int64] = as_array(b"".join([event.token for event in events]))["time"]
    return events_ms, np.array([event.record_ms for event in events], np.int64)
