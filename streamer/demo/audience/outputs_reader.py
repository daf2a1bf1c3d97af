"""What comes out of Kafka: the worker's outputs and how much of the input it has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, SCORES, with_prefix
from streamer.demo.audience.audience import Audience
from streamer.kafka.connection import connection_of
from streamer.processes.supervision import cancel_all
from streamer.settings.settings import Settings

READ_WAIT_MS = 200
FETCH_BYTES = 4 * 1024 * 1024
PROGRESS_EVERY_S = 0.1
STOP_WAIT_S = 3.0


class OutputsReader:
    """Reads alerts, scores and dead letters as any ``read_committed`` consumer would, from the start."""

    def __init__(self, settings: Settings, audience: Audience) -> None:
        self._audience = audience
        connection = connection_of(settings)
        self._scores, self._alerts, self._dead_letters, self._events = (
            with_prefix(settings.topic_prefix, name) for name in (SCORES, ALERTS, DEAD_LETTERS, EVENTS)
        )
        self._inputs = [TopicPartition(self._events, number) for number in range(settings.partitions)]
        self._outputs = [
            TopicPartition(topic, number)
            for topic in (self._scores, self._alerts, self._dead_letters)
            for number in range(settings.partitions)
        ]
        self._group = settings.group_id
        self._consumer = AIOKafkaConsumer(
            **connection.client_options,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=READ_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            check_crcs=False,  # Both ends are on this machine, and TCP has checked the bytes.
        )
        self._admin = AIOKafkaAdminClient(**connection.client_options)
        self._coordinator: int | None = None
        self._commits: list[tuple[float, int]] = []

    async def start(self) -> None:
        """Connect; the topics must exist."""
        await self._consumer.start()
        self._consumer.assign(self._outputs)
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect; without a broker that answers this neither waits nor fails."""
        closing = [asyncio.create_task(self._consumer.stop()), asyncio.create_task(self._admin.close())]
        await asyncio.wait(closing, timeout=STOP_WAIT_S)
        await cancel_all(closing)

    @property
    def events_per_s(self) -> float:
        """Events committed by the worker a second, from its first to its last commit as they were seen."""
        if len(self._commits) < 2:
            return 0.0
        (start, before), (end, after) = self._commits[0], self._commits[-1]
        return (after - before) / (end - start)

    async def read(self) -> None:
        """Hand every record to the audience, for ever."""
        audience = self._audience
        while True:
            for partition, records in (await self._consumer.getmany(timeout_ms=READ_WAIT_MS)).items():
                if partition.topic == self._scores:
                    for record in records:
                        audience.take_score(record.key, record.value)
                elif partition.topic == self._alerts:
                    for record in records:
                        audience.take_alert(record.value)
                else:
                    audience.dead_letters += len(records)
                # A batch of scores takes a while: others come first.
                await asyncio.sleep(0)

    async def follow_commits(self) -> None:
        """Note the worker's committed offsets, for ever."""
        while True:
            await self._look()
            await asyncio.sleep(PROGRESS_EVERY_S)

    async def all_read(self) -> None:
        """Wait until the worker has committed every event there is and all its outputs were read."""
        expected = sum((await self._consumer.end_offsets(self._inputs)).values())
        await _until(lambda: _reached(self._look, expected))
        ends = await self._consumer.end_offsets(self._outputs)
        await _until(lambda: self._has_read(ends))

    async def _look(self) -> int:
        """How many events the worker has committed, noted when there are more than before."""
        committed = await self._committed()
        now = monotonic()
        self._audience.commit(committed, now)
        if committed and (not self._commits or committed > self._commits[-1][1]):
            self._commits.append((now, committed))
        return committed

    async def _committed(self) -> int:
        try:
            if self._coordinator is None:
                self._coordinator = await self._admin.find_coordinator(self._group)
            offsets = await self._admin.list_consumer_group_offsets(
                self._group, self._coordinator, partitions=self._inputs
            )
        except KafkaError as error:
            # A fresh broker makes the topic of committed offsets when a group first asks for it.
            if not error.retriable:
                raise
            return 0
        return sum(max(committed.offset, 0) for committed in offsets.values())

    async def _has_read(self, ends: dict[TopicPartition, int]) -> bool:
        positions = await asyncio.gather(*(self._consumer.position(partition) for partition in ends))
        return all(position >= end for position, end in zip(positions, ends.values(), strict=True))


async def _reached(current: Callable[[], Awaitable[int]], expected: int) -> bool:
    return await current() >= expected


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():  # noqa: ASYNC110 - it is the broker that is asked, and it sends no word
        await asyncio.sleep(PROGRESS_EVERY_S / 2)
