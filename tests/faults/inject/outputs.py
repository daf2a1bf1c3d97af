"""The broker refuses what the worker writes: the topic is gone, or takes no message of that size."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.event import MAX_EVENT_BYTES
from schemas.topics import ALERTS
from tests.faults.inject.field import Aftermath, Fault, Field, until
from tests.faults.inject.topics import ANSWER_WITHIN_S, configure
from tests.faults.reading import Rows, read_topic
from tests.faults.schedule import Kind, Strike

TOO_SMALL_BYTES = 200
QUIET_WITHIN_S = 30.0
NOTICED_WITHIN_S = 60.0


async def refuse_size(field: Field, strike: Strike) -> Aftermath:
    """No alert fits into its topic until the limit is lifted again."""
    topic, ended_before = field.shop.topic(ALERTS), field.fleet.ends
    limit = {"max.message.bytes": str(TOO_SMALL_BYTES)}
    await asyncio.to_thread(configure, field.broker.bootstrap, topic, limit)
    await until(
        lambda: field.fleet.ends > ended_before, "a worker to end over a refused alert", NOTICED_WITHIN_S
    )
    await asyncio.sleep(strike.hold_s)
    limit = {"max.message.bytes": str(MAX_EVENT_BYTES)}
    await asyncio.to_thread(configure, field.broker.bootstrap, topic, limit)
    return Aftermath(field.all_partitions, monotonic())


async def delete_topic(field: Field, strike: Strike) -> Aftermath:
    """The alerts' topic is deleted, and created anew by hand after a while."""
    topic = field.shop.topic(ALERTS)
    field.keep(ALERTS, await _delete_unwritten(field, topic))
    await asyncio.sleep(strike.hold_s)
    applied = await asyncio.to_thread(field.shop.run, "topics", "--apply")
    if applied.returncode != 0:
        raise AssertionError(f"the topic could not be created anew: {applied.stderr}")
    field.renewed_at[ALERTS] = monotonic()
    return Aftermath(field.all_partitions, monotonic())


async def _delete_unwritten(field: Field, topic: str) -> Rows:
    """Delete ``topic`` at a moment when no transaction of it is open; returns all that it held.

    Alerts of a transaction that ended while its topic went would be gone with the topic, whoever wrote them.
    """
    deadline = monotonic() + QUIET_WITHIN_S
    while monotonic() < deadline:
        for worker in field.fleet.workers.values():
            worker.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(0.3)
            if await asyncio.to_thread(_nothing_open, field, topic):
                rows = await asyncio.to_thread(read_topic, field.broker.bootstrap, topic)
                await asyncio.to_thread(_delete, field.broker.bootstrap, topic)
                return rows
        finally:
            for worker in field.fleet.workers.values():
                worker.signal(signal.SIGCONT)
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{topic} was never without an open transaction")


def _nothing_open(field: Field, topic: str) -> bool:
    """Whether readers of committed and of uncommitted records see the same end."""
    ends: list[list[int]] = []
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = Consumer(
            {
                "bootstrap.servers": field.broker.bootstrap,
                "group.id": "faults-ends",
                "isolation.level": isolation,
            }
        )
        partitions = [TopicPartition(topic, number) for number in field.all_partitions]
        ends.append([consumer.get_watermark_offsets(tp, ANSWER_WITHIN_S)[1] for tp in partitions])
        consumer.close()
    return ends[0] == ends[1]


def _delete(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    futures: Any = admin.delete_topics([topic])
    futures[topic].result(ANSWER_WITHIN_S)


FAULTS = (
    Fault(Kind("alerts-too-large", 2, (0, 4), "the limit being lifted"), refuse_size),
    Fault(Kind("alerts-topic-gone", 2, (0, 6), "the topic's being back"), delete_topic),
)
