"""Publish a history: each record to the partition of its key, stamped with its own time.

Batches are built here, one open for each partition, because a future for each record would cost more than
everything else together. The producer is idempotent: a retry neither repeats nor reorders.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from schemas.errors import BrokerError, TopicError
from schemas.event import Event
from schemas.wire.encoding import encode_event
from streamer.kafka.connection import Connection

KeyedRecord = tuple[bytes, bytes, int]
"""Key, value, Kafka timestamp in epoch milliseconds."""

_BATCH_BYTES: Final = 256 * 1024
_REQUEST_BYTES: Final = 8 * 1024 * 1024
_BATCHES_IN_FLIGHT: Final = 32
_SHORTEST_WAIT_S: Final = 0.02
_REPORT_EVERY: Final = 1_024


@dataclass
class ReplayProgress:
    """How far a replay has come. ``last_ms`` is the time of the newest record handed over."""

    records: int = 0
    bytes: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """Since the start, until the broker had everything."""
        return (self.ended or time.monotonic()) - self.started

    @property
    def records_per_s(self) -> float:
        """Mean over ``seconds``."""
        return self.records / max(self.seconds, 1e-9)


def event_records(events: Iterable[Event]) -> Iterator[KeyedRecord]:
    """Events as records of the events topic: keyed by user, JSON, stamped with the event's time."""
    for event in events:
        yield event.user_id.encode(), encode_event(event), event.timestamp


async def replay(
    connection: Connection,
    topic: str,
    records: Iterable[KeyedRecord],
    *,
    speed: float | None = None,
    rate: float | None = None,
    report: Callable[[ReplayProgress], None] | None = None,
) -> ReplayProgress:
    """Publish ``records`` in their order to an existing topic and wait until the broker has them all.

    As fast as it goes, or ``speed`` times real time by the records' timestamps, or ``rate`` records a
    second. ``report`` is called about every thousand records. Cancelling it sends what was handed over
    and ends.

    Raises ``BrokerError`` and ``TopicError``.
    """
    progress = ReplayProgress()
    async with _producer(connection, topic) as producer:
        partitions = sorted(await producer.partitions_for(topic))
        publisher = _Publisher(producer, topic, partitions)
        try:
            for key, value, timestamp_ms in records:
                if progress.first_ms is None:
                    progress.first_ms = timestamp_ms
                due_s = _due_s(progress, timestamp_ms, speed, rate)
                if due_s - progress.seconds > _SHORTEST_WAIT_S:
                    await publisher.flush()
                    await asyncio.sleep(due_s - progress.seconds)
                await publisher.add(key, value, timestamp_ms)
                progress.records += 1
                progress.bytes += len(value)
                progress.last_ms = timestamp_ms
                if report is not None and progress.records % _REPORT_EVERY == 0:
                    report(progress)
        finally:
            await publisher.flush()
        await publisher.acknowledged()
    progress.ended = time.monotonic()
    if report is not None:
        report(progress)
    return progress


def _due_s(progress: ReplayProgress, timestamp_ms: int, speed: float | None, rate: float | None) -> float:
    """Seconds after the start at which a record is due; 0 when there is no pace."""
    if speed is not None and progress.first_ms is not None:
        return (timestamp_ms - progress.first_ms) / 1_000 / speed
    return progress.records / rate if rate is not None else 0.0


class _Publisher:
    """One open batch for each partition, and the futures of those under way."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: list[int]) -> None:
        self._producer = producer
        self._topic = topic
        self._open: dict[int, Any] = {}
        self._under_way: deque[asyncio.Future[Any]] = deque()
        partitioner = DefaultPartitioner()

        # Kafka's own rule (murmur2 of the key); in pure Python it costs more than the rest of a record.
        @lru_cache(maxsize=1 << 17)
        def partition_of(key: bytes) -> int:
            return partitioner(key, partitions, partitions)

        self._partition_of = partition_of

    async def add(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        partition = self._partition_of(key)
        batch = self._open.get(partition)
        if batch is not None and batch.append(key=key, value=value, timestamp=timestamp_ms) is not None:
            return
        if batch is not None:
            await self._send(partition)
        batch = self._open[partition] = self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=timestamp_ms) is None:
            raise TopicError(f"an event of {len(value)} bytes does not fit into a batch for {self._topic}")

    async def flush(self) -> None:
        """Hand over what is open."""
        for partition in list(self._open):
            await self._send(partition)

    async def acknowledged(self) -> None:
        """Wait until the broker has everything that was handed over."""
        while self._under_way:
            await self._under_way.popleft()

    async def _send(self, partition: int) -> None:
        batch = self._open.pop(partition)
        self._under_way.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        while self._under_way[0].done() or len(self._under_way) > _BATCHES_IN_FLIGHT:
            await self._under_way.popleft()
            if not self._under_way:
                break


@asynccontextmanager
async def _producer(connection: Connection, topic: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        **connection.client_options,
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=_BATCH_BYTES,
        max_request_size=_REQUEST_BYTES,
    )
    try:
        await producer.start()
        yield producer
    except InvalidTimestampError as error:
        raise TopicError(
            f"the broker refused records of {topic} for their time: it takes none that is further ahead of "
            "its clock than the topic's message.timestamp.after.max.ms (an hour, unless it was changed)"
        ) from error
    except MessageSizeTooLargeError as error:
        raise TopicError(
            f"the broker refused a batch for {topic} as too large: set the topic's max.message.bytes as "
            "`streamer topics` shows it"
        ) from error
    except KafkaError as error:
        raise BrokerError(f"publishing to {topic} at {connection.bootstrap} failed: {error}") from error
    finally:
        await producer.stop()
