"""A worker of one partition: what is committed survives a crash, what lies in memory does not."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.core.changes import Decision
from streamer.core.partition import Partition, PartitionEvent, Rules
from streamer.core.user_state import UserState, decode_state, encode_state
from tests.simulation.models import SimulatedModel


class Worker:
    """``table`` and ``clock_ms`` are the committed store, ``decisions`` the committed output."""

    def __init__(self, rules: Rules, model: SimulatedModel) -> None:
        self.rules, self.model = rules, model
        self.table: dict[str, bytes] = {}
        self.clock_ms: int | None = None
        self.decisions: list[Decision] = []
        self.recover()

    def recover(self) -> None:
        """Start anew from what is committed, as after a crash or on another machine."""
        self._partition = Partition(0, self.rules, self.model)
        for user_id, stored in self.table.items():
            self._partition.adopt(user_id, decode_state(stored))
        if self.clock_ms is not None:
            self._partition.clock_ms = self.clock_ms

    def process(
        self,
        records: Sequence[PartitionEvent],
        now_ms: int | None = None,
        *,
        held: bool = False,
        crash: bool = False,
    ) -> list[Decision]:
        """Apply a batch and commit it; with ``crash`` the first attempt dies before its commit."""
        if crash:
            self._partition.apply(self._read, records, now_ms, held=held)
            self.recover()
        applied = self._partition.apply(self._read, records, now_ms, held=held)
        for user_id, state in applied.states.items():
            if state is None:
                self.table.pop(user_id, None)
            else:
                self.table[user_id] = encode_state(state)
        self.clock_ms = self._partition.clock_ms
        self.decisions += applied.decisions
        return applied.decisions

    def _read(self, user_id: str) -> UserState | None:
        stored = self.table.get(user_id)
        return None if stored is None else decode_state(stored)
