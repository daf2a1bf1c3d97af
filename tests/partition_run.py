"""A partition driven as a worker drives it: state kept as bytes, batches cut anywhere, crashes between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.event import Event
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import Partition, PartitionEvent, Rules
from streamer.core.history.token import tokenise
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState, decode_state, encode_state


class PartitionRun:
    """Applies batches and keeps what would lie in the table and on the alert topic."""

    def __init__(self, policy: Policy, model: RiskModel, any_event_returns: bool = False) -> None:
        self._rules = Rules(policy, any_event_returns, partitions=1)
        self._model = model
        self.table: dict[str, bytes] = {}
        self.clock_ms: int | None = None
        self.decisions: list[Decision] = []
        self.partition = Partition(0, self._rules, model)

    def process(
        self, events: Sequence[PartitionEvent], now_ms: int | None = None, *, held: bool = False
    ) -> None:
        applied = self.partition.apply(self._read, events, now_ms, held=held)
        for user_id, state in applied.states.items():
            if state is None:
                self.table.pop(user_id, None)
            else:
                self.table[user_id] = encode_state(state)
        self.clock_ms = self.partition.clock_ms
        self.decisions += applied.decisions

    def crash(self) -> None:
        """Lose everything that is not in the table, and recover from it."""
        self.partition = Partition(0, self._rules, self._model)
        if self.clock_ms is not None:
            self.partition.clock_ms = self.clock_ms
        for user_id, stored in self.table.items():
            self.partition.adopt(user_id, decode_state(stored))

    def state(self, user_id: str) -> UserState:
        return decode_state(self.table[user_id])

    def _read(self, user_id: str) -> UserState | None:
        stored = self.table.get(user_id)
        return None if stored is None else decode_state(stored)


def partition_events(events: Iterable[Event]) -> list[PartitionEvent]:
    """Events as a partition delivers them: offsets from 0, Kafka timestamps those of the events."""
    return [
        PartitionEvent(offset, event.timestamp, event.user_id, tokenise(event))
        for offset, event in enumerate(events)
    ]
