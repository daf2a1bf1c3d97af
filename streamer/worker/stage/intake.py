"""Records of the event topic as events of the core: decoded, counted, the bad ones as dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import structlog

from schemas.errors import MalformedEventError
from schemas.event import Skipped
from schemas.timestamps import format_timestamp
from schemas.wire.decoding import EventFormat, decode_event
from schemas.wire.wire_format import content_type_of
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Partition
from streamer.core.erasure import NOTHING_REFUSED, Refused
from streamer.core.history.token import is_foreign, tokenise
from streamer.worker.stage.dead_letters import DeadLetters
from streamer.worker.stage.partition.counters import Counters, count, count_spelling
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.repartition import Repartition, unpack_origin

PROCESSING_FAILED: Final = "processing-failed"

log = structlog.get_logger(__name__)


class Intake:
    """Reads a topic of one ``event_format``; money in another currency than ``currency`` is unknown.

    With ``repartition`` a record of another partition's user is forwarded instead of applied.
    """

    def __init__(
        self,
        source_topic: str,
        dead_letters: DeadLetters,
        event_format: EventFormat = "contract",
        currency: str | None = None,
        repartition: Repartition | None = None,
    ) -> None:
        self._source_topic = source_topic
        self._dead_letters = dead_letters
        self._event_format: EventFormat = event_format
        self._currency = currency
        self._repartition = repartition

    def read(
        self,
        records: Sequence[Record],
        partition: int,
        counters: Counters,
        refused: Refused = NOTHING_REFUSED,
    ) -> tuple[list[PartitionEvent], list[Message]]:
        """The events in ``records`` in offset order; dead letters, and records for other partitions.

        ``refused``: events that their users wanted forgotten. What becomes of each record is added to the
        partition's ``counters``.
        """
        events: list[PartitionEvent] = []
        messages: list[Message] = []
        for record in self._received(records, partition, counters):
            try:
                content_type = content_type_of(record.headers) if record.headers else None
                event = decode_event(record.value, content_type, record.timestamp_ms, self._event_format)
                if isinstance(event, Skipped):
                    count(counters.skipped, event.reason)
                    if event.spelling:
                        count_spelling(counters.spellings, event.spelling)
                    continue
                if self._repartition is not None:
                    elsewhere = self._repartition.forward(record, event.user_id, partition)
                    if elsewhere is not None:
                        counters.forwarded += 1
                        messages.append(elsewhere)
                        continue
                token = tokenise(event, self._currency)
            except MemoryError:
                raise
            except Exception as error:
                # Mostly ``MalformedEventError``; whatever else it is, it comes from this record alone.
                messages.append(self._refused(record, error, partition, counters))
                continue
            if event.timestamp <= refused.until_ms and refused.covers(event.user_id, event.timestamp):
                count(counters.skipped, "erased")
                continue
            if event.unknown_fields:
                counters.unknown_fields += event.unknown_fields
            for kind in event.unreadable:
                count(counters.unreadable, kind)
            if self._currency is not None:
                counters.foreign_currency += is_foreign(event, self._currency)
            events.append(PartitionEvent(record.offset, record.timestamp_ms, event.user_id, token))
        counters.events += len(events)
        return events, messages

    def refuse(
        self,
        records: Sequence[Record],
        poison: Mapping[int, Exception],
        partition: int,
        counters: Counters,
    ) -> list[Message]:
        """Dead letters for events read from ``records`` that cannot be applied, which are counted as such.

        ``poison``: by the event's offset, what applying it raises.
        """
        messages: list[Message] = []
        for record in records if poison else ():
            counted = Counters()
            events, _ = self.read([record], partition, counted)
            if not events or (error := poison.get(events[0].offset)) is None:
                continue
            counters.events -= counted.events
            counters.unknown_fields -= counted.unknown_fields
            for kind, number in counted.unreadable.items():
                count(counters.unreadable, kind, -number)
            counters.foreign_currency -= counted.foreign_currency
            (received,) = self._received([record], partition, Counters())
            messages.append(self._refused(received, error, partition, counters))
        return messages

    def without_jumps(
        self,
        records: Sequence[Record],
        events: list[PartitionEvent],
        partition: Partition,
        counters: Counters,
    ) -> tuple[list[PartitionEvent], list[Message]]:
        """Those of ``events`` that do not move the clock too far; dead letters for the others."""
        jumps = partition.jumps(events)
        if not jumps:
            return events, []
        errors = {offset: _clock_jump(from_ms) for offset, from_ms in jumps.items()}
        letters = self.refuse(records, errors, partition.number, counters)
        return [event for event in events if event.offset not in jumps], letters

    def _received(self, records: Sequence[Record], partition: int, counters: Counters) -> Iterable[Record]:
        """Records of the events topic; forwarded ones as they were where they came from."""
        if self._repartition is None:
            counters.records += len(records)
            return records
        return self._in_their_places(self._repartition, records, partition, counters)

    def _in_their_places(
        self, repartition: Repartition, records: Sequence[Record], partition: int, counters: Counters
    ) -> Iterator[Record]:
        for record in records:
            counters.records += not record.forwarded
            if not record.forwarded:
                yield record
                continue
            try:
                original = repartition.receive(record, partition)
            except ValueError as error:
                count(counters.skipped, "not-ours")
                log.warning("record skipped", partition=partition, offset=record.offset, reason=str(error))
                continue
            if original is not None:
                yield original

    def _refused(self, record: Record, error: Exception, partition: int, counters: Counters) -> Message:
        """The dead letter of ``record``, counted by its class."""
        if not isinstance(error, MalformedEventError):
            error = _processing_failed(error)
        count(counters.dead_letters, error.error_class)
        place = unpack_origin(partition, record.offset)
        return self._dead_letters.of(record, error, self._source_topic, place)


def _processing_failed(error: Exception) -> MalformedEventError:
    message = f"The event is well-formed, but processing it raised {type(error).__name__}: {error}"
    return MalformedEventError(PROCESSING_FAILED, message)


def _clock_jump(from_ms: int) -> MalformedEventError:
    """The error of an event that would move its partition's clock, at ``from_ms``, too far."""
    return MalformedEventError(
        "clock-jump",
        f"The event is further ahead of what came before it, {format_timestamp(from_ms)}, than "
        "STREAMER_LONGEST_GAP_DAYS lets a partition be without events. If its time is right, raise that "
        "setting, start the workers anew and redrive it.",
    )
