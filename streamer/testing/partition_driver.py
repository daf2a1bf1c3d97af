"""One partition of the core, driven as a worker drives it: what is committed is bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from schemas.event import Event
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition, Rules
from streamer.core.erasure import ErasedUsers, Erasure
from streamer.core.history.token import place, tokenise
from streamer.core.model.risk_model import RiskModel
from streamer.core.user_state import UserState, decode_state, encode_state

_BATCH_EVENTS: Final = 8_000
_MARK_KEY: Final = b"key"


class Snapshot(NamedTuple):
    """What is committed: the clock (epoch milliseconds), every user's state, marks of the erased."""

    clock_ms: int | None = None
    table: Mapping[str, bytes] = MappingProxyType({})
    marks: Mapping[bytes, bytes] = MappingProxyType({})


class PartitionDriver:
    """Partition ``number`` under ``rules``, going on from ``snapshot``, which stays as it is.

    ``table`` and ``marks``: the committed store. ``clock_ms``: the committed clock, ``None`` before any
    event. ``decisions``: all of them, in order. ``rules`` and ``model`` may be replaced before
    :meth:`recover`.
    """

    def __init__(
        self, rules: Rules, model: RiskModel, snapshot: Snapshot | None = None, number: int = 0
    ) -> None:
        begun = Snapshot() if snapshot is None else snapshot
        self.rules, self.model, self.number = rules, model, number
        self.table = dict(begun.table)
        self.marks = dict(begun.marks)
        self.clock_ms = begun.clock_ms
        self.decisions: list[Decision] = []
        self.recover()

    @classmethod
    def of(
        cls,
        policy: Policy,
        model: RiskModel,
        number: int = 0,
        partitions: int = 1,
        longest_gap_ms: int | None = None,
    ) -> Self:
        """A new one, ``number`` of its topic's ``partitions``, where churn is the absence of purchases.

        ``longest_gap_ms``: a larger jump of the clock is no event's right; ``None`` allows any.
        """
        return cls(Rules(policy, False, partitions, longest_gap_ms), model, number=number)

    def recover(self) -> None:
        """Lose everything that is not committed and start anew, as after a crash or on another machine."""
        self.partition = Partition(self.number, self.rules, self.model)
        self._erased = ErasedUsers([_MARK_KEY])
        for mark, stored in self.marks.items():
            self._erased.adopt(mark, stored)
        for user_id, stored in self.table.items():
            self.partition.adopt(user_id, decode_state(stored))
        if self.clock_ms is not None:
            self.partition.clock_ms = self.clock_ms

    def process(
        self,
        events: Sequence[PartitionEvent],
        now_ms: int | None = None,
        *,
        held: bool = False,
        crash: bool = False,
    ) -> list[Decision]:
        """Apply one batch, commit it, and return its decisions; without events, a tick.

        ``now_ms``: wall time where it may move the clock. ``held``: the partition lags, so raises wait.
        ``crash``: the first attempt dies before its commit.
        """
        refused = self._erased.refused(self.marks.get)
        events = [
            event
            for event in events
            if (event_ms := place(event.token, 0)[0]) > refused.until_ms
            or not refused.covers(event.user_id, event_ms)
        ]
        if crash:
            self.partition.apply(self._read, events, now_ms, held=held)
            self.recover()
        applied = self.partition.apply(self._read, events, now_ms, held=held)
        for user_id, state in applied.states.items():
            if state is None:
                self.table.pop(user_id, None)
            else:
                self.table[user_id] = encode_state(state)
        self.clock_ms = self.partition.clock_ms
        self.decisions += applied.decisions
        return applied.decisions

    def replay(self, events: Sequence[PartitionEvent]) -> Iterator[int]:
        """Apply a history in event time, batch by batch; yields how many of ``events`` are done."""
        for start in range(0, len(events), _BATCH_EVENTS):
            self.process(events[start : start + _BATCH_EVENTS])
            yield min(start + _BATCH_EVENTS, len(events))

    def erase(self, erasures: Sequence[Erasure], *, crash: bool = False) -> list[Decision]:
        """Forget users and commit that; with ``crash`` the first attempt dies before its commit."""
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

    def state(self, user_id: str) -> UserState:
        """The committed state of a user; raises ``KeyError`` for one who is not known."""
        return decode_state(self.table[user_id])

    def snapshot(self) -> Snapshot:
        """What is committed now; it does not change when the driver goes on."""
        return Snapshot(self.clock_ms, dict(self.table), dict(self.marks))

    def _read(self, user_id: str) -> UserState | None:
        stored = self.table.get(user_id)
        return None if stored is None else decode_state(stored)


def partition_events(events: Iterable[Event], currency: str | None = None) -> list[PartitionEvent]:
    """Events as a partition delivers them: offsets from 0, Kafka timestamps those of the events.

    ``currency``: the only one whose amounts are known; ``None`` takes all alike.
    """
    return [
        PartitionEvent(offset, event.timestamp, event.user_id, tokenise(event, currency))
        for offset, event in enumerate(events)
    ]
