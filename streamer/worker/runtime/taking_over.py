"""Becoming the owner of partitions: former owners are fenced, then what they have committed is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, committed_offsets
from streamer.worker.runtime.inbox import Inbox
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.owned_partition import OwnedPartition, Source
from streamer.worker.runtime.transactions import TransactionalWriter


async def own(options: WorkerOptions, numbers: Iterable[int]) -> dict[int, OwnedPartition]:
    """Start a writer for each of the event partitions ``numbers``; none is left running if one fails."""
    writers = {partition: TransactionalWriter(options, partition) for partition in numbers}
    try:
        await asyncio.gather(*(writer.start() for writer in writers.values()))
        committed = await _committed(options)
    except BaseException:
        await _stop(writers.values())
        raise
    return {
        partition: _owned_from(options, committed, partition, each) for partition, each in writers.items()
    }


async def disown(owned: Mapping[int, OwnedPartition]) -> None:
    """Stop the writers of ``owned``."""
    await _stop(each.writer for each in owned.values())


async def _stop(writers: Iterable[TransactionalWriter]) -> None:
    await asyncio.gather(*(writer.stop() for writer in writers), return_exceptions=True)


async def _committed(options: WorkerOptions) -> Mapping[TopicPartition, Committed]:
    async with connected_admin(options.connection) as admin:
        return await committed_offsets(admin, options.application_id)


def _owned_from(
    options: WorkerOptions,
    committed: Mapping[TopicPartition, Committed],
    partition: int,
    writer: TransactionalWriter,
) -> OwnedPartition:
    """A partition where its last owner has left it; offset 0 stands for a topic's beginning."""
    found = {
        topic: committed.get(TopicPartition(topic, partition), Committed(0, ""))
        for topic in options.source_topics
    }
    sources = {topic: Source(at.offset) for topic, at in found.items()}
    return OwnedPartition(writer, sources, found[options.event_topic].metadata, Inbox(options.max_batch))
