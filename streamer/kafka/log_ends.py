"""Where partitions begin and end, what is left to read in them, and when their newest record was stamped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError
from streamer.kafka.connection import Connection
from streamer.kafka.reading import Consumed

# A transaction's marker takes an offset and is no record. This many last offsets are read to tell them apart.
COUNTED: Final = 20
READ_DEADLINE_S: Final = 5.0


class LogEnd(NamedTuple):
    """One partition, as a reader of committed records sees it.

    ``end``: offset after the last one. ``left``: records from the given offset on; markers of transactions
    may be among them where there are more than :data:`COUNTED`. ``newest_ms``: Kafka timestamp of the last
    record, ``None`` if there is none near the end.
    """

    end: int
    left: int
    newest_ms: int | None


class Span(NamedTuple):
    """Offset of the first record that there is, and offset after the last one, committed or not."""

    beginning: int
    end: int


async def log_spans(
    connection: Connection, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Span]:
    """Where the partitions, which all exist, begin and end. Raises as :func:`log_ends`."""
    wanted = list(partitions)
    if not wanted:
        return {}
    consumer = AIOKafkaConsumer(**connection.client_options, enable_auto_commit=False)
    try:
        await consumer.start()
        beginnings = await consumer.beginning_offsets(wanted)
        ends = await consumer.end_offsets(wanted)
    except KafkaError as error:
        raise BrokerError(f"reading from {connection.bootstrap} failed: {error}") from error
    finally:
        await consumer.stop()
    return {tp: Span(beginnings[tp], ends[tp]) for tp in wanted}


async def newest_records(
    connection: Connection, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, list[Consumed]]:
    """The committed ones of the last :data:`COUNTED` records of the partitions that could be read in time.

    The partitions exist. Raises as :func:`log_ends`.
    """
    async with _reading(connection) as consumer:
        wanted = list(partitions)
        consumer.assign(wanted)
        beginnings, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
        return await _records(consumer, _tails(beginnings, ends), ends)


async def log_ends(
    connection: Connection, read_to: Mapping[TopicPartition, int]
) -> dict[TopicPartition, LogEnd]:
    """The ends of the partitions in ``read_to``, which all exist, and what is left from those offsets on.

    Raises :class:`BrokerError` when the broker does not answer.
    """
    if not read_to:
        return {}
    async with _reading(connection) as consumer:
        return await _log_ends(consumer, read_to)


@asynccontextmanager
async def _reading(connection: Connection) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records."""
    consumer = AIOKafkaConsumer(
        **connection.client_options, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise BrokerError(f"reading from {connection.bootstrap} failed: {error}") from error
    finally:
        await consumer.stop()


async def _log_ends(
    consumer: AIOKafkaConsumer, read_to: Mapping[TopicPartition, int]
) -> dict[TopicPartition, LogEnd]:
    partitions = list(read_to)
    consumer.assign(partitions)
    beginnings = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    tails = _tails(beginnings, ends)
    records = await _records(consumer, tails, ends)
    found: dict[TopicPartition, LogEnd] = {}
    for tp, next_offset in read_to.items():
        next_offset = max(next_offset, beginnings[tp])
        tail = records.get(tp)
        left = max(ends[tp] - next_offset, 0)
        if tail is not None and next_offset >= tails[tp]:
            left = sum(record.offset >= next_offset for record in tail)
        found[tp] = LogEnd(ends[tp], left, tail[-1].timestamp if tail else None)
    return found


def _tails(
    beginnings: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    return {tp: max(beginnings[tp], end - COUNTED) for tp, end in ends.items()}


async def _records(
    consumer: AIOKafkaConsumer,
    tails: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, list[Consumed]]:
    """The records from ``tails`` to ``ends``, of the partitions that could be read in time."""
    records: dict[TopicPartition, list[Consumed]] = {tp: [] for tp in tails}
    for tp, start in tails.items():
        consumer.seek(tp, start)
    deadline = monotonic() + READ_DEADLINE_S
    while True:
        behind = [tp for tp in tails if await consumer.position(tp) < ends[tp]]
        if not behind or monotonic() > deadline:
            return {tp: found for tp, found in records.items() if tp not in behind}
        for tp, fetched in (await consumer.getmany(*behind, timeout_ms=200)).items():
            records[tp] += [record for record in fetched if record.offset < ends[tp]]
