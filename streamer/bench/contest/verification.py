"""Whether everything was really scored: read from what came out, not assumed from what went in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.timestamps import format_timestamp
from streamer.bench.contest.contestant import Contestant
from streamer.bench.contest.failure import BenchError
from streamer.bench.contest.observer import Observer
from streamer.worker.stage.partition.partition_status import decode_status


class NewestScore(msgspec.Struct, frozen=True):
    """The part of a score that says up to which event of the user it knows."""

    user_id: str
    last_event_at: str


class ScoresReader:
    """What a reader of committed records has seen of a contestant's scores; use :func:`scores_reader`.

    ``scores``: how many. ``markers``: of transactions that wrote scores. ``newest``: by user, the event time
    that the last score knows of.
    """

    def __init__(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._decoder = msgspec.json.Decoder(NewestScore)
        self.scores = 0
        self.markers = 0
        self.newest: dict[str, str] = {}

    async def read_on(self) -> None:
        """Read what has come since, up to the ends as of now."""
        consumer = self._consumer
        ends = await consumer.end_offsets(self._partitions)
        while [tp for tp in self._partitions if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                self.scores += len(records)
                for record in records:
                    score = self._decoder.decode(record.value or b"")
                    self.newest[score.user_id] = score.last_event_at
        positions = [await consumer.position(tp) for tp in self._partitions]
        self.markers = sum(positions) - self.scores


@asynccontextmanager
async def scores_reader(contestant: Contestant) -> AsyncIterator[ScoresReader]:
    """A reader that begins with the contestant's first score."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=contestant.settings.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    async with consumer:
        numbers = range(contestant.settings.partitions)
        partitions = [TopicPartition(contestant.scores_topic, number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield ScoresReader(consumer, partitions)


def unscored(events: Mapping[bytes, int], newest: Mapping[str, str]) -> list[str]:
    """Users whose newest event (epoch milliseconds, by key) is not that of their newest score."""
    return [
        user
        for key, time_ms in events.items()
        if newest.get(user := key.decode()) != format_timestamp(time_ms)
    ]


async def verify(contestant: Contestant, reader: ScoresReader, observer: Observer) -> None:
    """Compare a contestant's scores, and the worker's own count, with the events that it was given.

    A peer says a score for each event, the worker one for each user and batch. Raises :class:`BenchError`
    where an event was not scored.
    """
    await reader.read_on()
    missed = unscored(contestant.till.newest_ms, reader.newest)
    if missed:
        raise BenchError(
            f"the {contestant.name} left events unscored, of {len(missed):,} users ({missed[0]} is one)"
        )
    counted = reader.scores
    if contestant.name == "worker":
        committed = await observer.committed(contestant.settings.group_id, contestant.events_topic)
        statuses = [decode_status(each.metadata) for each in committed.values()]
        counted = sum(status.counters.events for status in statuses if status is not None)
    if counted != contestant.published:
        raise BenchError(f"the {contestant.name} scored {counted:,} events of {contestant.published:,}")
