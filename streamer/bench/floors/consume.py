"""Consuming alone: records fetched and counted, nothing decoded."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.bench.floors.spec import FloorSpec, Spent, spending


async def consume(spec: FloorSpec) -> Spent:
    """Fetch the first ``spec.events`` records of the backlog."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=spec.bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    async with consumer:
        partitions = [TopicPartition(spec.topic, number) for number in range(spec.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        with spending() as spent:
            while spent.events < spec.events:
                fetched = await consumer.getmany(timeout_ms=1_000, max_records=2_000)
                spent.events += sum(len(records) for records in fetched.values())
    return spent
