"""A worker of one partition: what is committed survives a crash, what lies in memory does not."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.core.alerts.decisions import Decision
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition, Rules
from streamer.core.erasure import ErasedUsers, Erasure
from streamer.core.history.token import place
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState, decode_state, encode_state


class Worker:
    """``table``, ``marks`` and ``clock_ms`` are the committed store, ``decisions`` the committed output."""

    def __init__(self, rules: Rules, model: RiskModel) -> None:
        self.rules, self.model = rules, model
        self.table: dict[str, bytes] = {}
        self.marks: dict[bytes, bytes] = {}
        self.clock_ms: int | None = None
        self.decisions: list[Decision] = []
        self.recover()

    def recover(self) -> None:
        """Start anew from what is committed, as after a crash or on another machine."""
        self.partition = Partition(0, self.rules, self.model)
        self._erased = ErasedUsers([b"key"])
        for mark, stored in self.marks.items():
            self._erased.adopt(mark, stored)
        for user_id, stored in self.table.items():
            self.partition.adopt(user_id, decode_state(stored))
        if self.clock_ms is not None:
            self.partition.clock_ms = self.clock_ms

    def process(
        self,
        records: Sequence[PartitionEvent],
        now_ms: int | None = None,
        *,
        held: bool = False,
        crash: bool = False,
    ) -> list[Decision]:
        """Apply a batch and commit it; with ``crash`` the first attempt dies before its commit."""
        refused = self._erased.refused(self.marks.get)
        records = [
            record
            for record in records
            if (event_ms := place(record.token, 0)[0]) > refused.until_ms
            or not refused.covers(record.user_id, event_ms)
        ]
        if crash:
            self.partition.apply(self._read, records, now_ms, held=held)
            self.recover()
        applied = self.partition.apply(self._read, records, now_ms, held=held)
        for user_id, state in applied.states.items():
            if state is None:
                self.table.pop(user_id, None)
            else:
                self.table[user_id] = encode_state(state)
        self.clock_ms = self.partition.clock_ms
        self.decisions += applied.decisions
        return applied.decisions

    def erase(self, erasures: Sequence[Erasure], *, crash: bool = False) -> list[Decision]:
        """Carry requests out and commit that; with ``crash`` the first attempt dies before its commit."""
        if crash:
            self.partition.erase(self._read, erasures)
            self._erased.marks(erasures, self.marks.get)
            self.recover()
        applied = self.partition.erase(self._read, erasures)
        self.marks |= self._erased.marks(erasures, self.marks.get)
        for user_id in applied.states:
            del self.table[user_id]
        self.decisions += applied.decisions
        return applied.decisions

    def _read(self, user_id: str) -> UserState | None:
        stored = self.table.get(user_id)
        return None if stored is None else decode_state(stored)
