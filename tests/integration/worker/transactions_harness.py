"""Topics, load, worker processes and an independent reader for the transaction tests."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.integration.worker.transactions_worker import STATE, Output, WorkerArguments, expected

PARTITIONS = 4
POLL_S = 0.1


class WorkerProcess:
    """A worker in a process of its own; its log goes to ``log``."""

    def __init__(self, arguments: WorkerArguments, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "tests.integration.worker.transactions_worker"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, msgspec.json.encode(arguments).decode()], stdout=output, stderr=output
            )

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait(self, deadline_s: float = 40.0) -> int:
        """The exit code; raises TimeoutExpired when it does not end."""
        return self._process.wait(deadline_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Scenario:
    """One application with its own topics, fed with seeded records of seeded users.

    ``scattered``: records go to random partitions, and from there to their users'.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        directory: Path,
        seed: int,
        users: int = 300,
        *,
        scattered: bool = False,
    ) -> None:
        self.bootstrap = bootstrap
        self.random = random.Random(seed)
        self.sent: list[tuple[str, bytes]] = []
        self._users = [f"user-{number}" for number in range(users)]
        self._directory = directory
        self._workers: list[WorkerProcess] = []
        self.arguments = WorkerArguments(
            bootstrap=bootstrap,
            application_id=f"{prefix}app",
            event_topic=f"{prefix}events",
            output_topic=f"{prefix}outputs",
            data_dir="",
            repartition_topic=f"{prefix}repartition" if scattered else None,
            partitions=PARTITIONS,
        )

    async def __aenter__(self) -> Self:
        changelog = f"{self.arguments.application_id}-users-changelog"
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(self.arguments.event_topic, PARTITIONS, 1, topic_configs={"retention.ms": "-1"}),
                    NewTopic(self.arguments.output_topic, PARTITIONS, 1),
                    *(
                        NewTopic(name, PARTITIONS, 1)
                        for name in (self.arguments.repartition_topic,)
                        if name is not None
                    ),
                    NewTopic(
                        changelog,
                        PARTITIONS,
                        1,
                        topic_configs={"cleanup.policy": "compact", "max.message.bytes": str(4 * 2**20)},
                    ),
                ]
            )
        finally:
            await admin.close()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=5, enable_idempotence=True
        )
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.exit_code is None:
                worker.kill()
        await self._producer.stop()

    def worker(self, name: str = "first", **changes: object) -> WorkerProcess:
        """Start a worker with a data directory of its own, which a restart under ``name`` finds again."""
        arguments = msgspec.structs.replace(
            self.arguments,
            data_dir=str(self._directory / name),
            instance_id=f"{self.arguments.application_id}-{name}",
            **changes,
        )
        worker = WorkerProcess(arguments, self._directory / f"{name}.log")
        self._workers.append(worker)
        return worker

    async def send(self, count: int, timestamp_ms: int | None = None) -> None:
        """Send ``count`` records, each to a random user's partition, at full speed."""
        for _ in range(count):
            await self.send_one(self.random.choice(self._users), self.random.randbytes(12), timestamp_ms)
        await self._producer.flush()

    async def send_one(self, user: str, value: bytes, timestamp_ms: int | None = None) -> None:
        """Queue one record for sending."""
        self.sent.append((user, value))
        scattered = self.arguments.repartition_topic is not None
        await self._producer.send(
            self.arguments.event_topic,
            value,
            key=user.encode(),
            partition=self.random.randrange(PARTITIONS) if scattered else None,
            timestamp_ms=timestamp_ms,
        )

    @contextlib.asynccontextmanager
    async def load(self, per_s: int) -> AsyncIterator[None]:
        """Send ``per_s`` records a second while the block runs."""

        async def feed() -> None:
            while True:
                await self.send(per_s // 20)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(feed())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._producer.flush()

    async def outputs(self) -> list[Output]:
        """All outputs that a read_committed reader sees now."""
        return [
            msgspec.json.decode(record.value, type=Output)
            for record in await self._read(self.arguments.output_topic)
            if record.value is not None
        ]

    async def wait_for_outputs(self, count: int, deadline_s: float = 60.0) -> list[Output]:
        """The outputs, once there are ``count`` of them."""
        outputs: list[Output] = []

        async def enough() -> bool:
            nonlocal outputs
            outputs = await self.outputs()
            return len(outputs) >= count

        await eventually(enough, f"{count} outputs", deadline_s)
        return outputs

    async def table(self) -> dict[str, bytes]:
        """The table as its changelog tells it."""
        topic = f"{self.arguments.application_id}-users-changelog"
        table = {record.key.decode(): record.value for record in await self._read(topic)}
        return {user: value[: STATE.size] for user, value in table.items() if value is not None}

    async def assert_each_once(self) -> None:
        """Every record sent has its one output, whatever the order, and the table counts each user's."""
        outputs = await self.wait_for_outputs(len(self.sent))
        assert sorted((output.user, output.value) for output in outputs) == sorted(
            (user, value.hex()) for user, value in self.sent
        )
        counts = Counter(user for user, _ in self.sent)
        assert {user: STATE.unpack(state)[0] for user, state in (await self.table()).items()} == counts
        revisions = {(output.user, output.revision) for output in outputs}
        assert revisions == {(user, n) for user, count in counts.items() for n in range(1, count + 1)}

    async def assert_exactly_once(self) -> None:
        """Every record sent has its one output, in order, and the table is what the records make it."""
        outputs = await self.wait_for_outputs(len(self.sent))
        table, per_user = expected(self.sent)
        found: dict[str, list[tuple[int, str]]] = {}
        for output in filter(lambda output: output.user, outputs):
            found.setdefault(output.user, []).append((output.revision, output.digest))
        assert found == per_user
        assert await self.table() == table

    async def _read(self, topic: str) -> list[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            # The last stable offset: what is committed now. An open transaction does not hold us up.
            ends = await consumer.end_offsets(partitions)
            records: list[Any] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(found)
            return records
        finally:
            await consumer.stop()


async def eventually(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    """Wait for a condition, which may be a coroutine function; raise TimeoutError naming it."""
    deadline = time.monotonic() + deadline_s
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {deadline_s:.0f} s: {what}")
        await asyncio.sleep(POLL_S)
