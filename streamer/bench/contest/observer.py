"""How far a contestant has come, asked of the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, committed_offsets
from streamer.kafka.connection import Connection


class Observer:
    """Asks for committed offsets and for ends of topics; use :func:`observer`."""

    def __init__(self, admin: AIOKafkaAdminClient, consumer: Any) -> None:
        self._admin = admin
        self._consumer = consumer

    async def committed(self, group: str, topic: str) -> dict[int, Committed]:
        """By partition, where there is any."""
        found = await committed_offsets(self._admin, group)
        return {tp.partition: committed for tp, committed in found.items() if tp.topic == topic}

    async def committed_sum(self, group: str, topic: str) -> int:
        """Over all partitions."""
        return sum(committed.offset for committed in (await self.committed(group, topic)).values())

    async def ends_sum(self, topic: str, partitions: int) -> int:
        """Offsets after the last committed record, over all partitions; transactions' markers count."""
        tps = [TopicPartition(topic, number) for number in range(partitions)]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(tps)
        return sum(ends.values())


@asynccontextmanager
async def observer(connection: Connection) -> AsyncIterator[Observer]:
    """An observer for the length of a block. Raises ``BrokerError`` where no broker answers."""
    async with connected_admin(connection) as admin:
        consumer = AIOKafkaConsumer(
            **connection.client_options, isolation_level="read_committed", enable_auto_commit=False
        )
        async with consumer:
            yield Observer(admin, consumer)
