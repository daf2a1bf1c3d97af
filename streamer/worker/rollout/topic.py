"""The topic that holds the operator's decision: one partition, compacted to its newest record."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError, StateError, TopicError
from schemas.topics import MODELS, with_prefix
from streamer.kafka.connection import Connection, connection_of
from streamer.kafka.reading import partition_counts
from streamer.kafka.unreachable import why_unreachable
from streamer.settings.settings import Settings
from streamer.worker.rollout.plan import NOTHING_DECIDED, Decided, Rollout, encode_rollout

_POLL_MS = 1000


class RolloutReader:
    """Reads decisions as they come; use as an async context manager.

    Raises ``BrokerError`` where the broker fails, and ``TopicError`` where the topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._partition = TopicPartition(with_prefix(settings.topic_prefix, MODELS.name), 0)
        self._connection = connection_of(settings)
        self._consumer = AIOKafkaConsumer(
            **self._connection.client_options,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._decided = NOTHING_DECIDED
        self._key = settings.application_id.encode()

    async def __aenter__(self) -> RolloutReader:
        await _require(self._connection, self._partition.topic)
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise BrokerError(await why_unreachable(self._connection)) from error
        try:
            self._consumer.assign([self._partition])
            await self._consumer.seek_to_beginning(self._partition)
        except KafkaError as error:
            await self._consumer.stop()
            raise self._failure(error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def newest(self) -> Decided:
        """What stands now."""
        try:
            end = (await self._consumer.end_offsets([self._partition]))[self._partition]
            while await self._consumer.position(self._partition) < end:
                await self._take(_POLL_MS)
        except KafkaError as error:
            raise self._failure(error) from error
        return self._decided

    async def next(self) -> Decided:
        """What stands after a second at most, or as soon as another record has come."""
        try:
            await self._take(_POLL_MS)
        except KafkaError as error:
            raise self._failure(error) from error
        return self._decided

    async def _take(self, timeout_ms: int) -> None:
        fetched = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)
        for record in fetched.get(self._partition, ()):
            if record.key == self._key and record.value is not None:
                self._decided = self._decided.after(record.value)

    def _failure(self, error: KafkaError) -> BrokerError:
        return BrokerError(f"reading {self._partition.topic} at {self._connection.bootstrap} failed: {error}")


async def decided(settings: Settings) -> Decided:
    """What stands now; raises as :class:`RolloutReader`."""
    async with RolloutReader(settings) as reader:
        return await reader.newest()


async def newest_rollout(settings: Settings) -> Rollout:
    """The decision to build the next one on; raises ``StateError`` where it cannot be read."""
    rollout, unreadable = await decided(settings)
    if unreadable:
        raise StateError(unreadable)
    return rollout


async def publish_rollout(settings: Settings, rollout: Rollout) -> None:
    """Make ``rollout`` the decision that holds. Raises ``BrokerError`` and ``TopicError``."""
    connection = connection_of(settings)
    topic, key = with_prefix(settings.topic_prefix, MODELS.name), settings.application_id.encode()
    await _require(connection, topic)
    producer = AIOKafkaProducer(**connection.client_options, acks="all", enable_idempotence=True)
    try:
        await producer.start()
    except KafkaError as error:
        await producer.stop()
        raise BrokerError(await why_unreachable(connection)) from error
    try:
        await producer.send_and_wait(topic, encode_rollout(rollout), key, partition=0)
    except KafkaError as error:
        raise BrokerError(f"writing {topic} at {connection.bootstrap} failed: {error}") from error
    finally:
        await producer.stop()


async def _require(connection: Connection, topic: str) -> None:
    """A client that is told to read or write a topic waits for one that does not exist."""
    if topic not in await partition_counts(connection):
        raise TopicError(f"topic {topic} does not exist: create it with `streamer topics --apply`.")
