"""What a topic holds, as a stream: committed records up to the ends as they were at the start."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError, TopicError
from schemas.topics import given_topic
from streamer.kafka.admin import connected_admin
from streamer.kafka.connection import Connection

Consumed = Any
"""aiokafka's ``ConsumerRecord`` of raw bytes."""

_POLL_MS: Final = 200
_FETCH_BYTES: Final = 4 * 1024 * 1024


class TopicReader:
    """Reads one topic; use ``open_topic``."""

    def __init__(self, runner: asyncio.Runner, consumer: Any, topic: str, partitions: int) -> None:
        self.topic = topic
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._runner = runner
        self._consumer = consumer

    def records(self, from_ms: int | None = None, to_ms: int | None = None) -> Iterator[Consumed]:
        """Records with a Kafka timestamp in [from_ms, to_ms), partitions merged by timestamp.

        The order within a partition is kept, and the same content always comes in the same order.
        """
        spans = self._run(self._spans(from_ms))
        streams = [self._partition(tp, start, end) for tp, (start, end) in spans.items()]
        for record in heapq.merge(*streams, key=lambda record: record.timestamp):
            if (from_ms is None or record.timestamp >= from_ms) and (
                to_ms is None or record.timestamp < to_ms
            ):
                yield record

    async def _spans(self, from_ms: int | None) -> dict[TopicPartition, tuple[int, int]]:
        """First and end offset of each partition; the end of committed records as of now."""
        consumer = self._consumer
        partitions = self._partitions
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        if from_ms is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, from_ms))
            starts = {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in partitions}
        return {tp: (starts[tp], ends[tp]) for tp in partitions}

    def _partition(self, tp: TopicPartition, start: int, end: int) -> Iterator[Consumed]:
        self._consumer.seek(tp, start)
        # Markers of transactions are never delivered, but move the position on.
        while self._run(self._consumer.position(tp)) < end:
            fetched = self._run(self._consumer.getmany(tp, timeout_ms=_POLL_MS))
            for record in fetched.get(tp, ()):
                if record.offset < end:
                    yield record

    def _run(self, coroutine: Any) -> Any:
        try:
            return self._runner.run(coroutine)
        except KafkaError as error:
            raise BrokerError(f"reading {self.topic} failed: {error}") from error


@contextmanager
def open_topic(connection: Connection, prefix: str, name: str) -> Iterator[TopicReader]:
    """A reader of the deployment's topic ``name``, which may bear the ``prefix`` already.

    Raises ``BrokerError`` where no broker answers and ``TopicError`` where there is no such topic.
    """
    with asyncio.Runner() as runner:
        existing = runner.run(partition_counts(connection))
        full_name = given_topic(prefix, name)
        if full_name not in existing:
            ours = (n for n in existing if n.startswith(prefix) and not n.startswith("__"))
            raise TopicError(
                f"there is no topic {full_name} at {connection.bootstrap}; with the prefix "
                f"{prefix!r} (STREAMER_TOPIC_PREFIX) it has: {', '.join(sorted(ours)) or 'none'}."
            )
        consumer = runner.run(_started_consumer(connection))
        try:
            yield TopicReader(runner, consumer, full_name, existing[full_name])
        finally:
            runner.run(consumer.stop())


async def partition_counts(connection: Connection) -> dict[str, int]:
    """Partitions of each topic. Asked without names: a broker may create a topic that is asked for."""
    async with connected_admin(connection) as admin:
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _started_consumer(connection: Connection) -> Any:
    consumer = AIOKafkaConsumer(
        **connection.client_options,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        await consumer.start()
    except KafkaError as error:
        await consumer.stop()
        raise BrokerError(f"reading from {connection.bootstrap} failed: {error}") from error
    return consumer
