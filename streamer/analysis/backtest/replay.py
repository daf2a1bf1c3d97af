"""Events through the core as one partition in event time: the decisions that a worker would have taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition, Rules
from streamer.core.model.risk_model import RiskModel
from streamer.core.timing.clock import NEVER_MS
from streamer.core.user_state import UserState, decode_state, encode_state

_BATCH_RECORDS = 8_000


class Snapshot(NamedTuple):
    """A partition between two records: its clock, and every user's stored state."""

    clock_ms: int = NEVER_MS
    users: Mapping[str, bytes] = {}


BEGINNING: Final = Snapshot()
"""Before the first record."""


class Replay:
    """A partition that goes on from ``snapshot``, which stays as it is."""

    def __init__(
        self, model: RiskModel, policy: Policy, any_event_returns: bool, snapshot: Snapshot = BEGINNING
    ) -> None:
        self._partition = Partition(0, Rules(policy, any_event_returns, 1), model)
        self._partition.clock_ms = snapshot.clock_ms
        self._users: dict[str, UserState] = {}
        for user_id, stored in snapshot.users.items():
            self._users[user_id] = decode_state(stored)
            self._partition.adopt(user_id, self._users[user_id])

    def apply(self, events: Sequence[PartitionEvent]) -> Iterator[tuple[int, list[Decision]]]:
        """Apply events in offset order; yields how many are done, and the decisions of each batch."""
        for start in range(0, len(events), _BATCH_RECORDS):
            applied = self._partition.apply(self._users.get, events[start : start + _BATCH_RECORDS], None)
            for user_id, state in applied.states.items():
                if state is None:
                    self._users.pop(user_id, None)
                else:
                    self._users[user_id] = state
            yield min(start + _BATCH_RECORDS, len(events)), applied.decisions

    def snapshot(self) -> Snapshot:
        """The partition as it is now."""
        users = {user_id: encode_state(state) for user_id, state in self._users.items()}
        return Snapshot(self._partition.clock_ms, users)
