"""A shop around the real ``streamer worker``: topics, events, worker processes and an independent reader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError as CoordinatorNotAvailableError
from aiokafka.errors import GroupLoadInProgressError as CoordinatorLoadInProgressError

from schemas.topics import EVENTS, with_prefix
from streamer.settings.loading import load_settings
from streamer.settings.settings import Settings

DEMO_BUNDLE = Path(__file__).parents[2] / "streamer" / "demo" / "bundle"
STREAMER = Path(sys.executable).with_name("streamer")
WORKER = (str(STREAMER), "worker")

Sent = tuple[str, bytes, int]
"""An event to publish: user id, value, Kafka timestamp."""


class Shop:
    """One deployment with a topic prefix of its own on a shared broker."""

    def __init__(self, bootstrap: str, prefix: str, directory: Path, **settings: str) -> None:
        self.prefix = prefix
        self.directory = directory
        self.environment = {
            "STREAMER_BOOTSTRAP": bootstrap,
            "STREAMER_TOPIC_PREFIX": prefix,
            "STREAMER_BUNDLE": str(DEMO_BUNDLE),
            "STREAMER_DATA_DIR": str(directory / "state"),
            "STREAMER_MODE": "event-time",
            **{f"STREAMER_{name.upper()}": value for name, value in settings.items()},
        }

    @property
    def settings(self) -> Settings:
        return load_settings(environment=self.environment)

    def topic(self, name: str) -> str:
        return with_prefix(self.prefix, name)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the console script, to its end."""
        environment = {**os.environ, **self.environment}
        command = [str(STREAMER), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def start_worker(
        self, name: str = "worker", command: Sequence[str] = WORKER, **environment: str
    ) -> subprocess.Popen[bytes]:
        """A worker process; one that is started again under the same name finds its local state."""
        environment = {
            **os.environ,
            **self.environment,
            "STREAMER_INSTANCE_ID": self.instance_id(name),
            **environment,
        }
        with (self.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def instance_id(self, name: str) -> str:
        """What the worker called ``name`` is called in its group."""
        return f"{self.prefix}{name}"

    @contextlib.contextmanager
    def worker(self, name: str = "worker") -> Iterator[subprocess.Popen[bytes]]:
        """A worker that is asked to end when the block does."""
        process = self.start_worker(name)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def log(self, name: str = "worker") -> str:
        return (self.directory / f"{name}.log").read_text()

    async def publish(self, events: Sequence[Sent], headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Send events to their users' partitions, in order."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.environment["STREAMER_BOOTSTRAP"], enable_idempotence=True
        )
        async with producer:
            for user_id, value, timestamp_ms in events:
                await producer.send(
                    self.topic(EVENTS),
                    value,
                    user_id.encode(),
                    timestamp_ms=timestamp_ms,
                    headers=list(headers),
                )
            await producer.flush()

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """A topic's partitions in order."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.environment["STREAMER_BOOTSTRAP"])
        await admin.start()
        try:
            (described,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
        assert described["partitions"], f"topic {topic} does not exist"
        return [TopicPartition(topic, number) for number in range(len(described["partitions"]))]

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """End offsets of a topic's partitions."""
        async with self._consumer() as consumer:
            return await consumer.end_offsets(await self.partitions(topic))

    async def committed(self) -> int:
        """Sum of the worker's committed offsets over the event topic's partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.environment["STREAMER_BOOTSTRAP"])
        await admin.start()
        try:
            group = self.settings.group_id
            offsets = await admin.list_consumer_group_offsets(group)
        except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError):
            return 0  # a fresh broker still creates the topic of offsets
        finally:
            await admin.close()
        topic = self.topic(EVENTS)
        return sum(max(found.offset, 0) for tp, found in offsets.items() if tp.topic == topic)

    async def wait_until_committed(
        self, offset: int, process: subprocess.Popen[bytes] | None = None, deadline_s: float = 90.0
    ) -> None:
        """Wait until the committed offsets add up to ``offset``; a worker that ends meanwhile fails."""

        async def reached() -> bool:
            assert process is None or process.poll() is None, self.log()[-3000:]
            return await self.committed() >= offset

        await wait_for(reached, f"committed offset {offset}", deadline_s)

    async def read(self, topic: str) -> list[ConsumerRecord[bytes | None, bytes | None]]:
        """All that a read_committed reader sees of a topic now, partition by partition in offset order."""
        records: list[ConsumerRecord[bytes | None, bytes | None]] = []
        async with self._consumer() as consumer:
            partitions = await self.partitions(topic)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            deadline = time.monotonic() + 30
            while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
                assert time.monotonic() < deadline, f"{topic} could not be read to its end"
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.environment["STREAMER_BOOTSTRAP"], isolation_level="read_committed"
        )


async def wait_for(condition: Callable[[], Awaitable[bool]], what: str, deadline_s: float = 30.0) -> None:
    """Wait until ``condition`` holds; fail with ``what`` was waited for when it does not in time."""
    deadline = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s for {what}"
        await asyncio.sleep(0.05)
