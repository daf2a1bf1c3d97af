"""One Kafka transaction a batch: changelog, messages and source offset together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from streamer.kafka.committed import Committed
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.stage.protocol import BatchOutcome, Message

# A record batch stays below the broker's default max.message.bytes (1,048,588) even when its content
# does not compress.
BATCH_BYTES = 960 * 1024
# A new transaction is refused while the broker still writes the last one's markers, which takes a few
# milliseconds; the default back-off of 100 ms would be the time of every second transaction.
RETRY_BACKOFF_MS = 20

# aiokafka's builder takes headers as a list.
Entry = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]
NO_HEADERS: list[tuple[str, bytes | None]] = []


class TransactionalWriter:
    """The only writer of one event partition's changelog, outputs and offsets.

    The transactional id names the partition, not the worker: starting a writer fences whoever owned
    the partition before and ends its open transaction. Started before an offset is read, it makes
    that offset final.
    """

    def __init__(self, options: WorkerOptions, partition: int) -> None:
        self._partition = partition
        self._group = options.application_id
        self._changelog = options.changelog_topic
        self._producer = AIOKafkaProducer(
            **options.connection.client_options,
            transactional_id=f"{options.application_id}-{options.event_topic}-{partition}",
            transaction_timeout_ms=round(options.transaction_timeout_s * 1000),
            compression_type="snappy",
            max_batch_size=BATCH_BYTES,
            linger_ms=0,
            retry_backoff_ms=RETRY_BACKOFF_MS,
        )

    async def start(self) -> None:
        """Fence the former owner.

        Raises: KafkaError when the broker cannot be reached or refuses the transactional id.
        """
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def commit(self, outcome: BatchOutcome, read_to: Mapping[str, Committed]) -> int | None:
        """Write ``outcome`` and commit ``read_to``, for each source topic its next offset and metadata.

        Returns: the changelog offset of the last table write; ``None`` when there was none or the
        broker did not tell.
        Raises: KafkaError (ProducerFenced when another worker has taken the partition). Nothing of
        the outcome is then visible to a read_committed reader, or all of it is: the caller cannot
        know, and must end.
        """
        producer = self._producer
        await producer.begin_transaction()
        target: dict[tuple[str, int], list[Entry]] = {}
        if outcome.state:
            entries: list[Entry] = [(key, value, NO_HEADERS) for key, value in outcome.state.items()]
            target[self._changelog, self._partition] = entries
        for message in outcome.messages:
            partition = self._partition if message.partition is None else message.partition
            target.setdefault((message.topic, partition), []).append(_entry(message))
        # Each partition's first batch goes before any second one: these are waiting together when the
        # sender wakes, and share one request.
        pending: list[asyncio.Future[Any]] = []
        changelog: tuple[asyncio.Future[Any], int] | None = None
        columns = [self._batches(*place, entries) for place, entries in target.items()]
        for row in zip_longest(*columns):
            for topic, partition, batch in filter(None, row):
                future = await producer.send_batch(batch, topic, partition=partition)
                pending.append(future)
                if topic == self._changelog:
                    changelog = (future, batch.record_count())
        offsets = {
            TopicPartition(topic, self._partition): OffsetAndMetadata(*committed)
            for topic, committed in read_to.items()
        }
        pending.append(asyncio.ensure_future(producer.send_offsets_to_transaction(offsets, self._group)))
        await asyncio.gather(*pending)
        await producer.commit_transaction()
        if changelog is None:
            return None
        acknowledged, count = changelog
        base_offset: int = acknowledged.result().offset
        # A batch that the broker had already taken is acknowledged without its offset.
        return base_offset + count - 1 if base_offset >= 0 else None

    def _batches(
        self, topic: str, partition: int, entries: Iterable[Entry]
    ) -> Iterator[tuple[str, int, Any]]:
        """Fill record batches; one takes a first record of any size, so a large one goes alone."""
        timestamp = time.time_ns() // 1_000_000
        batch = self._producer.create_batch()
        for key, value, headers in entries:
            if batch.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
                yield topic, partition, batch
                batch = self._producer.create_batch()
                batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
        batch.close()
        yield topic, partition, batch


def why_failed(error: Exception, took_s: float, timeout_s: float) -> str:
    """What ended a transaction that was open for ``took_s``, in words: the likeliest cause first."""
    if took_s >= timeout_s:
        return (
            f"the transaction was open for {took_s:.0f} s, and STREAMER_TRANSACTION_TIMEOUT_S lets one be "
            f"open for {timeout_s:g} s: raise it, or lower STREAMER_MAX_BATCH; where the process stood still "
            "meanwhile, another worker has taken the partition (fenced)"
        )
    if isinstance(error, ProducerFenced):
        return "fenced: another worker has taken the partition"
    return "transaction failed"


def _entry(message: Message) -> Entry:
    return message.key, message.value, list(message.headers)
