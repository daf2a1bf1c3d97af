"""From an event handed to Kafka to its score readable, while events come at a steady pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Final

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from schemas.timestamps import parse_timestamp
from streamer.bench.contest.contestant import Contestant, Progress
from streamer.bench.contest.verification import NewestScore
from streamer.kafka.publishing import KeyedRecord

PACE_S: Final = 0.005
"""Events that fall due within this are handed over together."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds at half of the maximal load; ``events``: how many were followed, ``per_s``: their pace."""

    p50: float
    p99: float
    events: int
    per_s: float


class Pending:
    """Events handed over and not yet known to any score, by user."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[tuple[int, float]]] = {}
        self.waits_ms: list[float] = []

    def sent(self, user_id: str, time_ms: int, at: float) -> None:
        """An event of this event time was handed over at ``at`` (seconds)."""
        self._sent.setdefault(user_id, deque()).append((time_ms, at))

    def scored(self, user_id: str, last_event_ms: int, at: float) -> None:
        """A score that knows all events up to ``last_event_ms`` was read at ``at``."""
        waiting = self._sent.get(user_id)
        while waiting and waiting[0][0] <= last_event_ms:
            self.waits_ms.append(1000.0 * (at - waiting.popleft()[1]))


def percentiles(waits_ms: Sequence[float], per_s: float) -> Latency:
    """The summary of at least one wait."""
    p50, p99 = np.percentile(np.array(waits_ms), [50, 99]).tolist()
    return Latency(round(p50, 1), round(p99, 1), len(waits_ms), round(per_s, 1))


async def latency(contestant: Contestant, per_s: float, seconds: float) -> Latency:
    """Publish ``per_s`` events a second for ``seconds``, and wait until the last one's score is readable."""
    records = contestant.till.records(contestant.order.next(max(1, round(per_s * seconds))))
    pending = Pending()
    reading = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_read(contestant, pending, len(records), reading))
        await reading.wait()
        group.create_task(_publish(contestant, pending, records, per_s))
    contestant.published += len(records)
    return percentiles(pending.waits_ms, per_s)


async def _publish(
    contestant: Contestant, pending: Pending, records: Sequence[KeyedRecord], per_s: float
) -> None:
    topic = contestant.events_topic
    numbers = list(range(contestant.settings.partitions))
    choose = DefaultPartitioner()
    places = [choose(key, numbers, numbers) for key, _, _ in records]
    async with AIOKafkaProducer(bootstrap_servers=contestant.settings.bootstrap) as producer:
        started, given = monotonic(), 0
        while given < len(records):
            due = min(len(records), int((monotonic() - started) * per_s) + 1)
            batches: dict[int, object] = {}
            at = monotonic()
            for (key, value, time_ms), partition in zip(records[given:due], places[given:due], strict=True):
                if partition not in batches:
                    batches[partition] = producer.create_batch()
                batch = batches[partition]
                if batch.append(key=key, value=value, timestamp=time_ms) is None:  # type: ignore[attr-defined]
                    await producer.send_batch(batch, topic, partition=partition)
                    batch = batches[partition] = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=time_ms)
                pending.sent(key.decode(), time_ms, at)
            given = due
            for partition, batch in batches.items():
                await producer.send_batch(batch, topic, partition=partition)
            await asyncio.sleep(PACE_S)
        await producer.flush()


async def _read(contestant: Contestant, pending: Pending, events: int, reading: asyncio.Event) -> None:
    decoder = msgspec.json.Decoder(NewestScore)
    tps = [
        TopicPartition(contestant.scores_topic, number) for number in range(contestant.settings.partitions)
    ]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=contestant.settings.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    progress = Progress(contestant.name, events, "events with a readable score")
    async with consumer:
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        for tp in tps:
            await consumer.position(tp)
        reading.set()
        while not progress.is_over(len(pending.waits_ms)):
            fetched = await consumer.getmany(timeout_ms=200)
            at = monotonic()
            for records in fetched.values():
                for record in records:
                    score = decoder.decode(record.value or b"")
                    pending.scored(score.user_id, parse_timestamp(score.last_event_at), at)
