"""The partitions that this worker owns: each batch through the stage, then into one transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from time import monotonic
from typing import Any

import structlog
from faust.types import TP

from streamer.core.timing.clock import latest_ms, written_ms
from streamer.kafka.committed import Committed
from streamer.worker.runtime.inbox import Fetched
from streamer.worker.runtime.liveness import Liveness
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.owned_partition import OwnedPartition
from streamer.worker.runtime.stores.store import PartitionStore
from streamer.worker.runtime.taking_over import disown, own
from streamer.worker.runtime.transactions import why_failed
from streamer.worker.stage.protocol import RECENT_MS, Record, Stage

log = structlog.get_logger(__name__)

# A partition without transactions says this often how it is; its offset is then committed once more.
STATUS_EVERY_S = 30.0


class Partitions:
    """Takes partitions over, drives the stage and commits what comes out.

    While one partition's transaction is under way another partition's batch is processed; one
    partition has at most one batch in the stage or in a transaction, and what is fetched meanwhile waits
    to be the next one. The first failure of the stage
    or of a transaction goes to ``on_failure`` and nothing is processed after it, because the stage's
    memory is then ahead of what was committed. One that ``excused`` finds to be part of a stop under way
    ends the processing alone.
    """

    def __init__(
        self,
        options: WorkerOptions,
        stage: Stage,
        store: PartitionStore,
        on_failure: Callable[[BaseException], Awaitable[None]],
        excused: Callable[[BaseException], bool],
    ) -> None:
        self._options = options
        self._stage = stage
        self._store = store
        self._on_failure = on_failure
        self._excused = excused
        self._owned: dict[int, OwnedPartition] = {}
        self._failed = False
        self._stopped = False
        self._assigned = False
        self._opening: Generator[None] | None = None
        self.liveness = Liveness(options.stuck_after_s)

    async def take_over(self, assigned: Iterable[TP]) -> None:
        """Start a writer for each event partition, which fences the former owners, this process included.

        A kept partition gets a new writer as well: starting it waits until the last transaction's
        offset is final. Without that, the offset read next could be the one before.

        Nothing is owned after :meth:`stop`, also when that comes meanwhile.
        """
        # Left over when a rebalance comes without a revocation, or that was cut short: a new writer would
        # fence our own transaction.
        await self.release()
        await self._stop_writers()
        topic = self._options.event_topic
        numbers = sorted(tp.partition for tp in assigned if tp.topic == topic)
        owned = await own(self._options, numbers)
        if self._stopped:
            await disown(owned)
            return
        self._owned = owned
        self._assigned = True
        self.liveness.moved()
        log.info("partitions taken over", partitions=numbers)

    async def open(self) -> bool:
        """Give the stage the recovered table of every owned partition.

        Returns: false if that failed, or if partitions were taken away meanwhile: others have their turn
        between two slices of a table.
        """
        if self._stopped:
            return False
        try:
            self._close()
            for partition, owned in sorted(self._owned.items()):
                next_offset = owned.sources[self._options.event_topic].next_offset
                items = self._store.items(partition)
                opening = self._opening = self._stage.opening(partition, items, owned.status, next_offset)
                for _ in opening:
                    self.liveness.moved()
                    await asyncio.sleep(0)
                if self._opening is not opening or self._owned.get(partition) is not owned:
                    return False
                self._opening = None
                owned.open = True
                owned.touched_at = monotonic()
                self.liveness.moved()
        except Exception as error:
            await self.fail(error, "stage cannot open its partitions")
        return not self._failed

    async def release(self) -> None:
        """Let the stage forget every partition, and wait for the transactions under way.

        Those that come back with the next assignment may have had another owner in between.
        """
        # First, so that nothing begins while another partition's transaction is waited for.
        self._close()
        for owned in list(self._owned.values()):
            async with owned.lock:
                await self._committed(owned)

    async def stop(self) -> None:
        """Release the partitions and stop their writers; none is taken over or opened after it."""
        self._stopped = True
        await self.release()
        await self._stop_writers()

    def handed(self, topic: str, partition: int, end_offset: int) -> None:
        """Note that a batch up to ``end_offset`` was put into the stream."""
        if (owned := self._owned.get(partition)) is not None:
            owned.sources[topic].handed_to = end_offset

    def fetched(self, topic: str, partition: int, position: int, highwater: int | None) -> None:
        """Note that every record below ``position`` was put into the stream."""
        self.liveness.fetched()
        if (owned := self._owned.get(partition)) is not None:
            source = owned.sources[topic]
            source.position, source.highwater = position, highwater

    async def receive(self, partition: int, fetched: Fetched) -> None:
        """Put consumer records in line for the stage; waits while as many as a batch holds are there.

        Whether they are still ours is asked once the partition is free: those fetched before a rebalance
        are dropped, and fetched again by the partition's owner.
        """
        owned = self._owned.get(partition)
        if owned is None:
            return
        await owned.inbox.put(fetched)
        if owned.work is None or owned.work.done():
            owned.work = asyncio.create_task(self._work(partition, owned))

    async def tick(self, still_ours: Callable[[], bool]) -> None:
        """Call the stage without records for each partition that has had none for ``tick_s``."""
        opened = {partition: owned for partition, owned in self._owned.items() if owned.open}
        self.liveness.ticked(partition for partition, owned in opened.items() if owned.busy)
        for partition, owned in list(self._owned.items()):
            waits = owned.inbox or owned.lock.locked()
            if waits or monotonic() - owned.touched_at < self._options.tick_s:
                continue
            async with owned.lock:
                await self._committed(owned)
                if not self._failed and owned.open and still_ours():
                    await self._run(partition, owned, None, [])

    def stuck(self) -> str | None:
        """What this worker has not done for too long, although there was something to do."""
        opened = sum(owned.open for owned in self._owned.values())
        return self.liveness.complaint(owned=len(self._owned), opened=opened)

    def not_ready(self) -> str | None:
        """Why nothing is processed yet; ``None`` once all partitions of an assignment are open."""
        if not self._assigned:
            return "no partitions have been assigned yet"
        waiting = [partition for partition, owned in self._owned.items() if not owned.open]
        return f"partitions {waiting} are not open yet" if waiting else None

    async def fail(self, error: BaseException, what: str, **where: object) -> None:
        """Process nothing any more and end the process, once; the latter unless it is being stopped."""
        if not self._failed:
            self._failed = True
            if self._excused(error):
                log.info("undone, since the worker stops", what=what, error=error, **where)
                return
            log.critical("worker ends", failure=what, error=error, **where)
            await self._on_failure(error)

    async def _work(self, partition: int, owned: OwnedPartition) -> None:
        """Pass all that waits through the stage, transaction after transaction."""
        try:
            while owned.inbox:
                async with owned.lock:
                    await self._committed(owned)
                    topic, fetched = owned.inbox.take()
                    if not self._failed and owned.open:
                        await self._run_fetched(partition, owned, topic, fetched)
        except Exception as error:
            await self.fail(error, "batch failed", partition=partition)

    async def _run_fetched(
        self, partition: int, owned: OwnedPartition, topic: str, fetched: Sequence[Any]
    ) -> None:
        next_offset = owned.sources[topic].next_offset
        forwarded, erasure = topic == self._options.repartition_topic, topic == self._options.erasure_topic
        wall_ms = time.time_ns() // 1_000_000
        latest = latest_ms(wall_ms if self._options.live else None)
        records = [
            Record(r.offset, written_ms(r.timestamp, latest), r.key, r.value, r.headers, forwarded, erasure)
            for r in fetched
            if r.offset >= next_offset
        ]
        if records:
            # What has no timestamp that can be true does not tell how far behind the partition is.
            stamp_ms = fetched[-1].timestamp
            owned.sources[topic].newest_ms = stamp_ms if stamp_ms <= latest else -1
            await self._run(partition, owned, topic, records)

    async def _run(
        self, partition: int, owned: OwnedPartition, topic: str | None, records: list[Record]
    ) -> None:
        wall_ms = time.time_ns() // 1_000_000
        read_to = None if topic is None else (topic, records[-1].offset + 1)
        now_ms = wall_ms if self._options.live and self._is_current(owned, read_to, wall_ms) else None
        try:
            outcome = self._stage.process(partition, self._store.reader(partition), records, now_ms)
        except Exception as error:
            next_offsets = {name: source.next_offset for name, source in owned.sources.items()}
            await self.fail(error, "stage failed", partition=partition, next_offsets=next_offsets)
            return
        owned.touched_at = monotonic()
        published = owned.status_at is not None and monotonic() - owned.status_at < STATUS_EVERY_S
        if not records and not outcome.state and not outcome.messages and not outcome.news and published:
            return
        owned.status_at = monotonic()
        offsets = self._offsets(owned, read_to, self._stage.status(partition, wall_ms))

        async def commit() -> None:
            changelog_offset = await owned.writer.commit(outcome, offsets)
            # Of a moment at which nobody else wrote to the changelog: the partition was still ours later.
            self._store.write(partition, outcome.state.items(), changelog_offset, wall_ms)
            for name, committed in offsets.items():
                owned.sources[name].next_offset = committed.offset
            self.liveness.committed(partition)

        owned.commit = asyncio.create_task(self._guarded(partition, commit()))

    def _offsets(
        self, owned: OwnedPartition, read_to: tuple[str, int] | None, status: str
    ) -> dict[str, Committed]:
        """What to commit: the event topic's offset with the status, and what was read of another topic."""
        event_topic = self._options.event_topic
        offsets = {event_topic: Committed(owned.sources[event_topic].next_offset, status)}
        if read_to is not None:
            topic, next_offset = read_to
            offsets[topic] = Committed(next_offset, status if topic == event_topic else "")
        return offsets

    async def _guarded(self, partition: int, commit: Awaitable[None]) -> None:
        begun = monotonic()
        try:
            await commit
        except Exception as error:
            why = why_failed(error, monotonic() - begun, self._options.transaction_timeout_s)
            await self.fail(error, why, partition=partition)

    async def _committed(self, owned: OwnedPartition) -> None:
        if owned.commit is not None:
            await asyncio.wait([owned.commit])

    def _close(self) -> None:
        self.liveness.moved()
        if self._opening is not None:
            self._opening.close()
            self._opening = None
        for partition, owned in sorted(self._owned.items()):
            if owned.open:
                owned.open = False
                self._stage.close(partition)

    async def _stop_writers(self) -> None:
        owned, self._owned = self._owned, {}
        await disown(owned)

    def _is_current(self, owned: OwnedPartition, read_to: tuple[str, int] | None, wall_ms: int) -> bool:
        """Whether the partition is in the present once the batch that reads to ``read_to`` is done."""
        topic, next_offset = read_to or (None, 0)
        for name, source in owned.sources.items():
            done_to = next_offset if name == topic else source.next_offset
            recent = topic is not None and source.newest_ms >= wall_ms - RECENT_MS
            if not recent and not source.caught_up(done_to):
                return False
        return True
