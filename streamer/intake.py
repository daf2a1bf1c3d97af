"""Records of the event topic as events of the core: decoded, counted, the bad ones as dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.dead_letter import dead_letter_headers
from schemas.decoding import EventFormat, content_type_of, decode_event
from schemas.errors import MalformedEventError
from schemas.event import Skipped
from schemas.topics import DEAD_LETTERS, with_prefix
from streamer.core.partition import PartitionEvent
from streamer.core.token import is_foreign, tokenise
from streamer.counters import Counters
from streamer.stage import Message, Record


class Intake:
    """Reads a topic of one ``event_format``; money in another currency than ``currency`` is unknown."""

    def __init__(
        self,
        source_topic: str,
        topic_prefix: str,
        counters: Counters,
        event_format: EventFormat = "contract",
        currency: str | None = None,
    ) -> None:
        self._source_topic = source_topic
        self._dead_letters = with_prefix(topic_prefix, DEAD_LETTERS)
        self._counters = counters
        self._event_format: EventFormat = event_format
        self._currency = currency

    def read(self, records: Sequence[Record], partition: int) -> tuple[list[PartitionEvent], list[Message]]:
        """The events in ``records`` in offset order, and the dead letters."""
        events: list[PartitionEvent] = []
        letters: list[Message] = []
        counters = self._counters
        for record in records:
            content_type = content_type_of(record.headers)
            try:
                event = decode_event(record.value, content_type, record.timestamp_ms, self._event_format)
            except MalformedEventError as error:
                letters.append(self._dead_letter(error, record, partition))
                continue
            if isinstance(event, Skipped):
                counters.skipped[event.reason] += 1
                continue
            counters.events += 1
            counters.unknown_fields += event.unknown_fields
            counters.foreign_currency += is_foreign(event, self._currency)
            token = tokenise(event, self._currency)
            events.append(PartitionEvent(record.offset, record.timestamp_ms, event.user_id, token))
        return events, letters

    def _dead_letter(self, error: MalformedEventError, record: Record, partition: int) -> Message:
        self._counters.dead_letters[error.error_class] += 1
        headers = dead_letter_headers(error, self._source_topic, partition, record.offset, record.headers)
        return Message(self._dead_letters, record.key, record.value, headers)
