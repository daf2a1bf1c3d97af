"""Requests to forget users as erasures of the core, carried out in every partition.

Which partition holds a user is the shop's choice of partitioner, which a request's sender may not share. So
the partition that reads a request passes a copy to each other one, in its own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.errors import MalformedEventError
from schemas.wire.erasure_decoding import decode_erasure
from streamer.core.erasure import Erasure
from streamer.worker.stage.dead_letters import DeadLetters, header_bytes
from streamer.worker.stage.partition.counters import Counters, count
from streamer.worker.stage.protocol import Message, Record
from streamer.worker.stage.repartition import ORIGIN_PARTITION, Origin

MAX_HEADERS_BYTES: Final = 64 * 1024
"""Of a request, so that its copies fit into the topic, whatever its sender has compressed."""


class ErasureBatch(NamedTuple):
    """What a batch of requests asks for. ``asked``: users whose requests are no copies, so answered here."""

    erasures: list[Erasure]
    asked: set[str]
    messages: list[Message]


class ErasureRequests:
    """Reads ``topic``, which has ``partitions`` of them; bad requests go to ``dead_letters``."""

    def __init__(self, topic: str, dead_letters: DeadLetters, partitions: int) -> None:
        self._topic = topic
        self._dead_letters = dead_letters
        self._partitions = partitions

    def read(self, records: Sequence[Record], partition: int, counters: Counters) -> ErasureBatch:
        """The erasures in ``records``; what becomes of each is added to the partition's ``counters``."""
        found = ErasureBatch([], set(), [])
        for record in records:
            try:
                request = decode_erasure(record.value, record.timestamp_ms)
                _require_room(record)
            except MalformedEventError as error:
                count(counters.dead_letters, error.error_class)
                place = Origin(partition, record.offset)
                found.messages.append(self._dead_letters.of(record, error, self._topic, place))
                continue
            found.erasures.append(Erasure(request.user_id, request.requested_ms))
            if any(name == ORIGIN_PARTITION for name, _ in record.headers):
                continue
            counters.erasures += 1
            found.asked.add(request.user_id)
            found.messages.extend(self._copies(record, request.user_id, partition))
        return found

    def _copies(self, record: Record, user_id: str, partition: int) -> list[Message]:
        headers = (*record.headers, (ORIGIN_PARTITION, str(partition).encode()))
        others = (number for number in range(self._partitions) if number != partition)
        return [Message(self._topic, user_id.encode(), record.value, headers, number) for number in others]


def _require_room(record: Record) -> None:
    if (size := header_bytes(record.headers)) > MAX_HEADERS_BYTES:
        raise MalformedEventError(
            "too-large", f"The request's headers have {size} bytes; the most is {MAX_HEADERS_BYTES}."
        )
