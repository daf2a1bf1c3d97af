"""Whole topics as a reader of its own kind sees them: librdkafka, not the worker's client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from time import monotonic
from typing import Any, Literal, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from schemas.wire.encoding import Headers

READ_DEADLINE_S = 120.0
FETCHED_AT_ONCE = 2_000

Isolation = Literal["read_committed", "read_uncommitted"]


class Row(NamedTuple):
    """One record. ``timestamp_ms``: its Kafka timestamp."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


Rows = dict[int, list[Row]]
"""A topic's records by partition, in offset order."""


def read_topic(bootstrap: str, topic: str, isolation: Isolation = "read_committed") -> Rows:
    """All that ``topic`` holds now. Raises ``TimeoutError`` when its end is not reached in time."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "faults-checker",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "log_level": 0,
        }
    )
    try:
        described = consumer.list_topics(topic, 10).topics[topic]
        partitions = sorted(described.partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        return _read(consumer, topic, partitions)
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str, partitions: Iterable[int]) -> Rows:
    rows: Rows = {number: [] for number in partitions}
    unfinished = set(rows)
    deadline = monotonic() + READ_DEADLINE_S
    while unfinished:
        if monotonic() > deadline:
            raise TimeoutError(f"{topic} could not be read to its end: partitions {sorted(unfinished)}")
        fetched: list[Any] = consumer.consume(FETCHED_AT_ONCE, 0.5)
        for message in fetched:
            if (error := message.error()) is None:
                rows[message.partition()].append(_row(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
    return rows


def _row(message: Any) -> Row:
    return Row(
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def newest_by_key(rows: Rows) -> dict[int, dict[bytes, bytes]]:
    """What a compacted topic says: by partition, the newest value of each key that is not deleted."""
    tables: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    for partition, records in rows.items():
        for row in records:
            if row.key is None:
                continue
            if row.value is None:
                tables[partition].pop(row.key, None)
            else:
                tables[partition][row.key] = row.value
    return tables
