"""The Faust application: one topic, one table, one agent, and what a worker process does around them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import faust
import structlog
from faust.types import CollectionT

from streamer.kafka.connection import Connection
from streamer.kafka.topics import TABLE_NAME
from streamer.settings.bootstrap import broker_addresses
from streamer.worker.runtime.ending import Ending
from streamer.worker.runtime.inbox import Fetched
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.runtime.recovery import PositionTableManager
from streamer.worker.runtime.stores.local_stores import ErasedFiles
from streamer.worker.runtime.stores.store import (
    ROCKSDB_OPTIONS,
    PartitionStore,
    rocksdb_of,
    use_larger_blocks,
)
from streamer.worker.runtime.transport import BatchTransport
from streamer.worker.stage.protocol import Stage
from streamer.worker.stop_signals import hangup_counts

log = structlog.get_logger(__name__)

# Together with static membership a killed worker's partitions are processed again after four to
# seven seconds, by itself or by another one.
SESSION_TIMEOUT_S = 6.0
HEARTBEAT_S = 2.0
# Batches on their way from the fetcher to their partitions' inboxes, each of which holds up to one more;
# with max_batch they bound the worker's memory.
QUEUED_BATCHES = 8


class Server(Protocol):
    """What answers requests in the worker's event loop, from before recovery until everything has ended."""

    async def start(self) -> None:
        """Answer from now on."""
        ...

    async def stop(self) -> None:
        """End, and free what was taken."""
        ...


class StreamingApp(faust.App):
    """A Faust app whose messages are batches and whose effects are transactions."""

    ending: Ending
    partitions: Partitions
    table: CollectionT
    server: Server | None = None

    async def on_first_start(self) -> None:
        # Faust makes the folder, but not its parents.
        self.conf.datadir.mkdir(parents=True, exist_ok=True)
        use_larger_blocks(self.table)
        await super().on_first_start()
        # Before recovery, which takes its time: whoever watches the worker sees how that goes on.
        if self.server is not None:
            await self.server.start()

    async def on_stop(self) -> None:
        # First the consumer, which finishes the transactions under way, then their writers.
        for stop in (super().on_stop, self.partitions.stop, self._stop_server):
            try:
                await stop()
            except Exception as error:
                # Everything else must end as well: a thread left behind would keep the process alive.
                self.ending.fail(error)
                if not self.ending.excuses(error):
                    log.critical("worker ends", failure="stop failed", exc_info=error)

    async def _stop_server(self) -> None:
        if self.server is not None:
            await self.server.stop()

    def _crash(self, reason: BaseException) -> None:
        # Called for every failure inside Faust or the partitions.
        self.ending.fail(reason)
        super()._crash(reason)


class StreamingWorker(faust.Worker):
    """The process around a :class:`StreamingApp`, which SIGHUP ends like SIGTERM."""

    def install_signal_handlers(self) -> None:
        super().install_signal_handlers()
        if hangup_counts():
            self.loop.add_signal_handler(signal.SIGHUP, self._on_sigterm)

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        # The first moment of a stop: what fails because of it comes later.
        cast(StreamingApp, self.app).ending.stop()
        super()._schedule_shutdown(signal)


def build_application(
    options: WorkerOptions,
    stage: Stage,
    beside: Callable[[Callable[[], bool]], Awaitable[None]] | None = None,
) -> StreamingApp:
    """The application for one worker process.

    ``beside``: what runs beside the batches until what it is given says that it is to stop.

    The topics must exist: ``options.event_topic``, every topic that ``stage`` writes to and
    ``options.changelog_topic`` with at least as many partitions as the event topic, the changelog
    with exactly as many and ``cleanup.policy=compact``.
    """
    app = StreamingApp(
        options.application_id,
        broker=[f"kafka://{address}" for address in broker_addresses(options.connection.bootstrap)],
        broker_credentials=_credentials(options.connection),
        datadir=options.data_dir,
        store="rocksdb://",
        key_serializer="raw",
        value_serializer="raw",
        TableManager=PositionTableManager,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=options.standbys,
        stream_buffer_maxsize=QUEUED_BATCHES,
        broker_max_poll_records=options.max_batch,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        consumer_group_instance_id=options.instance_id,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.ending = ending = Ending()
    app.table = table = app.Table(TABLE_NAME, options=dict(ROCKSDB_OPTIONS))
    partitions = Partitions(options, stage, PartitionStore(table), app.crash, ending.excuses)
    app.partitions = partitions
    tables = cast(PositionTableManager, app.tables)
    tables.partitions, tables.changelog_id = partitions, options.changelog_id
    app.transport = BatchTransport(app, options, partitions)
    # Without acknowledgements Faust commits no offsets of these topics and tracks no gaps in them.
    events = app.topic(*options.source_topics, acks=False)

    async def run_batches(stream: faust.StreamT[Any]) -> None:
        async for event in cast(faust.Stream[Any], stream).events():
            message = event.message

            def still_ours(generation: int | None = message.generation_id) -> bool:
                return generation == app.consumer_generation_id and app.flow_control.is_active()

            records = cast(list[Any], message.value)
            await partitions.receive(message.partition, Fetched(message.topic, records, still_ours))

    app.agent(events, name="batches")(run_batches)

    @app.task
    async def tick() -> None:
        while not app.should_stop:
            await partitions.tick(app.flow_control.is_active)
            await asyncio.sleep(options.tick_s / 4)

    if beside is not None:

        @app.task
        async def run_beside() -> None:
            await beside(lambda: app.should_stop)

    erased_files = ErasedFiles()

    @app.task
    async def compact() -> None:
        while not app.should_stop:
            await erased_files.compact_due(rocksdb_of(table))
            await asyncio.sleep(options.tick_s)

    return app


def _credentials(connection: Connection) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """TLS and SASL as Faust takes them."""
    tls, sasl = connection.tls, connection.sasl
    if sasl is not None:
        return faust.SASLCredentials(
            username=sasl.username,
            password=sasl.password.reveal(),
            ssl_context=tls,
            mechanism=sasl.mechanism,
        )
    return None if tls is None else faust.SSLCredentials(tls)


def run(app: StreamingApp) -> int:
    """Run ``app`` in the main thread until SIGTERM, SIGHUP or SIGINT, or until it fails.

    Returns: the exit code; 0 after a signal, when each transaction under way is committed or undone, else 1.
    The process must end then: after a signal or a failure it does so by force a while later.
    """
    worker = StreamingWorker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = int(end.code or 0)
        if code and end.__context__ is not None:
            app.ending.fail(end.__context__)
        return app.ending.exit_code(code)
