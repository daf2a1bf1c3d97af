"""A worker's whole stage without Kafka: its table is a dictionary, its messages come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamer.core.user_state import UserState, decode_state
from streamer.worker.stage.partition.partition_record import CLOCK_KEY
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.scoring_stage import ScoringStage

_BATCH_RECORDS = 8_000


class ProcessedBatch(NamedTuple):
    """A batch of so many records, and the messages that a worker would have sent."""

    records: int
    messages: list[Message]


class StageDriver:
    """Drives ``stage`` as a worker in event-time mode drives it; ``table`` is what its store would hold."""

    def __init__(self, stage: ScoringStage, number: int = 0) -> None:
        self.table: dict[bytes, bytes] = {}
        self._stage = stage
        self._number = number
        stage.open(number, ())

    def apply(self, records: Sequence[Record]) -> Iterator[ProcessedBatch]:
        """Apply records in offset order, batch by batch as the result is read."""
        for start in range(0, len(records), _BATCH_RECORDS):
            batch = records[start : start + _BATCH_RECORDS]
            yield ProcessedBatch(len(batch), self._process(batch, None))

    def let_time_pass(self, until_ms: int) -> list[Message]:
        """Move the partition's clock to ``until_ms`` (epoch ms) with no further event."""
        return self._process((), until_ms)

    def users(self) -> dict[str, UserState]:
        """Every user's state."""
        return {key.decode(): decode_state(stored) for key, stored in self.table.items() if key != CLOCK_KEY}

    def _process(self, records: Sequence[Record], now_ms: int | None) -> list[Message]:
        outcome = self._stage.process(self._number, self.table.get, records, now_ms)
        for key, value in outcome.state.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        return outcome.messages
