"""What the source topics tell of records that failed: when they were sent, and which were sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from time import monotonic
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.dead_letter import redriven_from
from schemas.errors import BrokerError
from streamer.kafka.connection import Connection
from streamer.kafka.reading import partition_counts
from streamer.operations.dead_letters.letters import RecordAddress

STALLED_S: Final = 60.0
_POLL_MS: Final = 200
_FETCH_BYTES: Final = 4 * 1024 * 1024


class Original(NamedTuple):
    """A record where it lies. ``timestamp_ms``: its Kafka timestamp. ``content``: :func:`content_hash`."""

    timestamp_ms: int
    content: int


def content_hash(key: bytes | None, value: bytes | None) -> int:
    """What tells a record from any other, within this process."""
    return hash((key, value))


class Trace(NamedTuple):
    """``originals``: of the places asked for, those that still hold a record. ``redriven``: sent again."""

    originals: dict[RecordAddress, Original]
    redriven: set[RecordAddress]


async def trace(connection: Connection, places: Set[RecordAddress], report: Callable[[int], None]) -> Trace:
    """Read the partitions of ``places`` from the first of them to their ends as of now.

    A record that was sent again lies behind the one that failed, in the same partition, and names it. All
    that any transaction has committed by now is seen. ``report`` is called with the number of records read.

    Raises ``BrokerError`` when the broker does not answer, or when an open transaction hides what follows it.
    """
    found = Trace({}, set())
    if not places:
        return found
    partitions = await partition_counts(connection)
    firsts: dict[TopicPartition, int] = {}
    for topic, partition, offset in places:
        if partition < partitions.get(topic, 0):
            tp = TopicPartition(topic, partition)
            firsts[tp] = min(offset, firsts.get(tp, offset))
    try:
        ends = await _ends(connection, list(firsts))
        consumer = AIOKafkaConsumer(
            **connection.client_options,
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        try:
            await consumer.start()
            await _read(consumer, firsts, ends, places, found, report)
        finally:
            await consumer.stop()
    except KafkaError as error:
        raise BrokerError(f"reading from {connection.bootstrap} failed: {error}") from error
    return found


async def _ends(connection: Connection, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """The very ends, behind open transactions as well."""
    consumer = AIOKafkaConsumer(**connection.client_options, enable_auto_commit=False)
    try:
        await consumer.start()
        return await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()


async def _read(
    consumer: Any,
    firsts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    places: Set[RecordAddress],
    found: Trace,
    report: Callable[[int], None],
) -> None:
    consumer.assign(list(firsts))
    beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(list(firsts))
    for tp, first in firsts.items():
        # A topic that was made anew may end before what was read of the former one.
        consumer.seek(tp, min(max(first, beginnings[tp]), ends[tp]))
    count, moved_at = 0, monotonic()
    while True:
        behind = [tp for tp in firsts if await consumer.position(tp) < ends[tp]]
        if not behind:
            return
        if monotonic() - moved_at > STALLED_S:
            raise BrokerError(
                f"{behind[0].topic} cannot be read to its end: an open transaction hides what comes after "
                "it. Try again once it has ended"
            )
        for tp, records in (await consumer.getmany(*behind, timeout_ms=_POLL_MS)).items():
            moved_at = monotonic()
            count += len(records)
            for record in records:
                place = RecordAddress(tp.topic, tp.partition, record.offset)
                if place in places:
                    found.originals[place] = Original(
                        record.timestamp, content_hash(record.key, record.value)
                    )
                if record.headers and (failed := redriven_from(record.headers)) is not None:
                    found.redriven.add(RecordAddress(tp.topic, tp.partition, failed))
        report(count)
