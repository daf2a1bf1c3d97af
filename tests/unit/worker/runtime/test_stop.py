"""What a stop may interrupt is no failure, and nothing that it finds under way outlives it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaConnectionError, ProducerFenced
from faust.types import TP

from schemas.errors import BrokerError, StateError
from streamer.kafka.connection import Connection
from streamer.worker.runtime import taking_over
from streamer.worker.runtime.application import StreamingApp, StreamingWorker, build_application, run
from streamer.worker.runtime.ending import CRASH_DEADLINE_S, STOP_DEADLINE_S, Ending
from streamer.worker.runtime.inbox import Inbox
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.owned_partition import OwnedPartition, Source
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.runtime.transport import BatchConsumer, ReadCommittedThread
from tests.unit.worker.runtime.conftest import ForcedEnds
from tests.unit.worker.runtime.test_recovery import IdleStage

UNDONE = [
    ProducerFenced(),
    IllegalOperation("Can't send messages while not in transaction"),
    KafkaConnectionError(),
    BrokerError("gone"),
    TimeoutError(),
]
BATCH = [SimpleNamespace(offset=0, timestamp=0, key=b"k", value=b"v", headers=())]


class Writer:
    """A writer whose commit ends, and whose start is over, when the test says so."""

    made: list[Writer]
    told: list[str]

    def __init__(self, *_: object) -> None:
        self.made.append(self)
        self.committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        self.told.append("start")
        await self.started

    async def stop(self) -> None:
        self.told.append("stop")

    async def commit(self, *_: object) -> None:
        try:
            await self.committed
        finally:
            self.told.append("commit ends")


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> type[Writer]:
    """Writers instead of those of Kafka, for an application that has committed nothing."""

    class Fresh(Writer):
        made: list[Writer] = []  # noqa: RUF012 - the subclass is the test's own
        told: list[str] = []  # noqa: RUF012 - the subclass is the test's own

    async def nothing(*_: object) -> Mapping[object, object]:
        return {}

    class Admin:
        def __init__(self, *_: object) -> None: ...

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(taking_over, "TransactionalWriter", Fresh)
    monkeypatch.setattr(taking_over, "connected_admin", Admin)
    monkeypatch.setattr(taking_over, "committed_offsets", nothing)
    return Fresh


class Worker:
    """Partitions with what they have reported as failures."""

    def __init__(self, directory: Path) -> None:
        self.ending = Ending()
        self.failures: list[BaseException] = []
        options = WorkerOptions(Connection("localhost:1"), "app", "events", directory)
        store = cast(Any, SimpleNamespace(reader=lambda _: None, write=lambda *_: None))

        async def fail(error: BaseException) -> None:
            self.failures.append(error)

        self.partitions = Partitions(options, IdleStage(), store, fail, self.ending.excuses)

    async def in_transaction(self, writer: Writer) -> OwnedPartition:
        """Partition 0 with a batch in a transaction of ``writer``."""
        owned = OwnedPartition(cast(Any, writer), {"events": Source(0)}, "", Inbox(1), open=True)
        self.partitions._owned[0] = owned
        await self.partitions._run_fetched(0, owned, "events", BATCH)
        await _turns()
        return owned


async def _turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("error", UNDONE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stopping", [True, False])
def test_a_transaction_that_is_undone_is_a_failure_unless_a_stop_is_under_way(
    tmp_path: Path, writers: type[Writer], error: Exception, stopping: bool
) -> None:
    async def body() -> None:
        worker, writer = Worker(tmp_path), writers()
        owned = await worker.in_transaction(writer)
        if stopping:
            worker.ending.stop()
        stop = asyncio.create_task(worker.partitions.stop())
        writer.committed.set_exception(error)
        await stop
        assert worker.failures == ([] if stopping else [error])
        assert owned.sources["events"].next_offset == 0
        assert worker.partitions._failed, "the stage is ahead of what is committed, and is asked no more"

    asyncio.run(body())


def test_a_failure_of_the_store_is_one_also_while_the_worker_stops(
    tmp_path: Path, writers: type[Writer]
) -> None:
    async def body() -> None:
        worker, writer = Worker(tmp_path), writers()
        await worker.in_transaction(writer)
        worker.ending.stop()
        error = StateError("the disk is full")
        writer.committed.set_exception(error)
        await worker.partitions.stop()
        assert worker.failures == [error]

    asyncio.run(body())


def test_a_take_over_lets_our_own_transaction_end_before_it_would_fence_it(
    tmp_path: Path, writers: type[Writer]
) -> None:
    async def body() -> None:
        worker, former = Worker(tmp_path), writers()
        await worker.in_transaction(former)
        # No revocation came before.
        taking = asyncio.create_task(worker.partitions.take_over({TP("events", 0)}))
        await _turns()
        assert writers.told == []
        former.committed.set_result(None)
        await _turns()
        writers.made[-1].started.set_result(None)
        await taking
        assert writers.told == ["commit ends", "stop", "start"]
        assert not worker.failures

    asyncio.run(body())


def test_a_stop_during_a_take_over_leaves_no_writer_and_no_partition(
    tmp_path: Path, writers: type[Writer]
) -> None:
    async def body() -> None:
        worker = Worker(tmp_path)
        taking = asyncio.create_task(worker.partitions.take_over({TP("events", 0), TP("events", 1)}))
        await _turns()
        await worker.partitions.stop()
        for writer in writers.made:
            writer.started.set_result(None)
        await taking
        assert writers.told == ["start", "start", "stop", "stop"]
        assert not worker.partitions._owned
        assert not await worker.partitions.open()

    asyncio.run(body())


def test_a_stop_has_a_deadline_and_a_failure_another_one(forced: ForcedEnds) -> None:
    stopped, failed = Ending(), Ending()
    stopped.stop()
    stopped.stop()
    assert forced.deadlines_s == [STOP_DEADLINE_S]
    failed.fail(StateError("broken"))
    assert forced.deadlines_s == [STOP_DEADLINE_S, CRASH_DEADLINE_S]
    assert forced.reach_all() == [0, 1]


@pytest.fixture
def app(tmp_path: Path) -> StreamingApp:
    options = WorkerOptions(Connection("localhost:1"), "app", "events", tmp_path)
    return build_application(options, IdleStage())


def test_a_signal_begins_the_stop_before_anything_ends(
    app: StreamingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fenced(self: StreamingWorker) -> None:
        self._schedule_shutdown(signal.SIGTERM)
        await app.crash(ProducerFenced())

    monkeypatch.setattr(StreamingWorker, "start", fenced)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    assert run(app) == 0


def test_what_fails_while_it_stops_keeps_nothing_else_from_stopping(
    app: StreamingApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    async def broken(*_: object) -> None:
        raise StateError("broken")

    async def stop(name: str) -> None:
        ended.append(name)

    monkeypatch.setattr("faust.App.on_stop", broken)
    app.partitions = cast(Any, SimpleNamespace(stop=lambda: stop("partitions")))
    app.server = cast(Any, SimpleNamespace(stop=lambda: stop("server")))
    app.ending.stop()
    asyncio.run(app.on_stop())
    assert ended == ["partitions", "server"]
    assert app.ending.exit_code() == 1


def test_a_rebalance_during_the_stop_ends_what_is_ours_and_takes_nothing_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def noting(what: str) -> Callable[..., Awaitable[None]]:
        async def note(*_: object) -> None:
            told.append(what)

        return note

    monkeypatch.setattr("faust.transport.consumer.Consumer.on_partitions_revoked", noting("Faust's"))
    monkeypatch.setattr("faust.transport.consumer.Consumer.on_partitions_assigned", noting("Faust's"))
    partitions = SimpleNamespace(release=noting("release"), take_over=noting("take over"))
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer.app = cast(Any, SimpleNamespace(should_stop=True))
    consumer.transport = cast(Any, SimpleNamespace(partitions=partitions))
    asyncio.run(consumer.on_partitions_revoked(set()))
    assert told == ["release", "Faust's"]
    asyncio.run(consumer.on_partitions_assigned(set()))
    assert told == ["release", "Faust's", "Faust's"]


def test_a_consumer_whose_thread_has_ended_is_a_stopped_one() -> None:
    thread = ReadCommittedThread.__new__(ReadCommittedThread)
    thread.thread_loop = asyncio.new_event_loop()
    thread.thread_loop.close()
    with pytest.raises(ConsumerStoppedError):
        asyncio.run(thread.call_thread(asyncio.sleep, 0))
    thread._stopped_set()
