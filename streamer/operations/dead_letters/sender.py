"""Dead letters sent again: their records go back to where they failed, one transaction for many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced

from schemas.errors import BrokerError, TopicError
from schemas.wire.encoding import Headers
from streamer.kafka.connection import Connection
from streamer.operations.dead_letters.letters import RecordAddress

TRANSACTION_TIMEOUT_MS: Final = 60_000
_REQUEST_BYTES: Final = 256 * 1024 * 1024


class Redriven(NamedTuple):
    """A record to be sent again to the partition of ``failed``, where the one lies that failed."""

    failed: RecordAddress
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers


class Sender:
    """Sends records in transactions; use ``open_sender``."""

    def __init__(self, runner: asyncio.Runner, producer: Any) -> None:
        self._runner = runner
        self._producer = producer

    def send(self, records: Sequence[Redriven]) -> None:
        """Send ``records``, all or none. Raises ``BrokerError`` and ``TopicError``."""
        try:
            self._runner.run(self._send(records))
        except ProducerFenced as error:
            raise BrokerError(
                "another `streamer dlq redrive` of this deployment has started, so this one has ended"
            ) from error
        except MessageSizeTooLargeError as error:
            raise TopicError(
                f"{records[0].failed.topic} takes no record as large as one of these: raise its "
                "max.message.bytes, or redrive the other causes"
            ) from error
        except KafkaError as error:
            raise BrokerError(f"sending failed ({error}): run it again, nothing is sent twice") from error

    async def _send(self, records: Sequence[Redriven]) -> None:
        async with self._producer.transaction():
            sent = [
                await self._producer.send(
                    record.failed.topic,
                    record.value,
                    record.key,
                    partition=record.failed.partition,
                    timestamp_ms=record.timestamp_ms,
                    headers=list(record.headers),
                )
                for record in records
            ]
            await asyncio.gather(*sent)


@contextmanager
def open_sender(connection: Connection, application_id: str) -> Iterator[Sender]:
    """The deployment's only sender: what another one has begun is undone, and it can send no more.

    Once it is open, what was sent again before is final. Raises ``BrokerError``.
    """
    with asyncio.Runner() as runner:
        producer = runner.run(_started_producer(connection, application_id))
        try:
            yield Sender(runner, producer)
        finally:
            runner.run(producer.stop())


async def _started_producer(connection: Connection, application_id: str) -> Any:
    producer = AIOKafkaProducer(
        **connection.client_options,
        transactional_id=f"{application_id}-redrive",
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        compression_type="zstd",
        max_request_size=_REQUEST_BYTES,
    )
    try:
        await producer.start()
    except KafkaError as error:
        await producer.stop()
        raise BrokerError(f"sending to {connection.bootstrap} failed: {error}") from error
    return producer
