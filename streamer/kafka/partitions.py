"""The partitions that this worker owns: each batch through the stage, then into one transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from aiokafka.errors import ProducerFenced

from streamer.kafka.options import WorkerOptions
from streamer.kafka.progress import PartitionProgress
from streamer.kafka.store import PartitionStore
from streamer.kafka.transactions import TransactionalWriter
from streamer.stage import Record, Stage

# Records appended less than this ago are the present, even if more have arrived since.
RECENT_MS = 30_000

log = structlog.get_logger(__name__)


@dataclass
class OwnedPartition:
    """One assigned event partition."""

    writer: TransactionalWriter
    progress: PartitionProgress
    # Records below it are in a committed transaction; 0 until the first batch since the assignment.
    next_offset: int = 0
    # End of the newest batch that was put into the stream.
    handed_to: int = 0
    open: bool = False
    touched_at: float = field(default_factory=monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    commit: asyncio.Task[None] | None = None


class Partitions:
    """Takes partitions over, drives the stage and commits what comes out.

    While one partition's transaction is under way another partition's batch is processed; one
    partition has at most one batch in the stage or in a transaction. The first failure of the stage
    or of a transaction goes to ``on_failure`` and nothing is processed after it, because the stage's
    memory is then ahead of what was committed.
    """

    def __init__(
        self,
        options: WorkerOptions,
        stage: Stage,
        store: PartitionStore,
        on_failure: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self._options = options
        self._stage = stage
        self._store = store
        self._on_failure = on_failure
        self._owned: dict[int, OwnedPartition] = {}
        self._failed = False

    @property
    def progress(self) -> list[PartitionProgress]:
        """One entry for each owned partition."""
        return [owned.progress for _, owned in sorted(self._owned.items())]

    async def take_over(self, partitions: Iterable[int]) -> None:
        """Start a writer for each partition, which fences the former owners, this process included.

        A kept partition gets a new writer as well: starting it waits until the last transaction's
        offset is final. Without that, the offset read next could be the one before.
        """
        await self._stop_writers()
        self._owned = {
            partition: OwnedPartition(
                TransactionalWriter(self._options, partition), PartitionProgress(partition)
            )
            for partition in partitions
        }
        await asyncio.gather(*(owned.writer.start() for owned in self._owned.values()))
        log.info("partitions taken over", partitions=sorted(self._owned))

    async def open(self) -> bool:
        """Give the stage the recovered table of every owned partition; false if that failed."""
        try:
            self._close()
            for partition, owned in sorted(self._owned.items()):
                self._stage.open(partition, self._store.items(partition))
                owned.open = True
                owned.touched_at = monotonic()
        except Exception as error:
            await self.fail(error, "stage cannot open its partitions")
        return not self._failed

    async def release(self) -> None:
        """Wait for the batches and transactions under way, then let the stage forget every partition.

        Those that come back with the next assignment may have had another owner in between.
        """
        for owned in list(self._owned.values()):
            async with owned.lock:
                await self._committed(owned)
        self._close()

    async def stop(self) -> None:
        """Release the partitions and stop their writers."""
        await self.release()
        await self._stop_writers()

    def handed(self, partition: int, end_offset: int) -> None:
        """Note that a batch up to ``end_offset`` was put into the stream."""
        if (owned := self._owned.get(partition)) is not None:
            owned.handed_to = end_offset

    def fetched(self, partition: int, position: int, highwater: int | None) -> None:
        """Note that every record below ``position`` was put into the stream."""
        if (owned := self._owned.get(partition)) is not None:
            owned.progress.position = position
            owned.progress.highwater = highwater
            owned.progress.caught_up = self._caught_up(owned, owned.next_offset)

    async def process(self, partition: int, fetched: Sequence[Any], still_ours: Callable[..., bool]) -> None:
        """Pass a batch of consumer records through the stage and start its transaction.

        ``still_ours`` is asked once the partition is free; a batch fetched before a rebalance is
        dropped, and fetched again by the partition's owner.
        """
        owned = self._owned.get(partition)
        if owned is None:
            return
        async with owned.lock:
            await self._committed(owned)
            if self._failed or not owned.open or not still_ours():
                return
            records = [
                Record(r.offset, r.timestamp, r.key, r.value, r.headers)
                for r in fetched
                if r.offset >= owned.next_offset
            ]
            if records:
                await self._run(partition, owned, records)

    async def tick(self, still_ours: Callable[..., bool]) -> None:
        """Call the stage without records for each partition that has had none for ``tick_s``."""
        for partition, owned in list(self._owned.items()):
            if owned.lock.locked() or monotonic() - owned.touched_at < self._options.tick_s:
                continue
            async with owned.lock:
                await self._committed(owned)
                if not self._failed and owned.open and still_ours():
                    await self._run(partition, owned, [])

    async def fail(self, error: BaseException, what: str, **where: object) -> None:
        """Process nothing any more and end the process, once."""
        if not self._failed:
            self._failed = True
            log.critical("worker ends", failure=what, error=repr(error), **where)
            await self._on_failure(error)

    async def _run(self, partition: int, owned: OwnedPartition, records: list[Record]) -> None:
        next_offset = records[-1].offset + 1 if records else owned.next_offset
        wall_ms = time.time_ns() // 1_000_000
        current = self._caught_up(owned, next_offset) or bool(
            records and records[-1].timestamp_ms >= wall_ms - RECENT_MS
        )
        now_ms = wall_ms if self._options.live and current else None
        try:
            outcome = self._stage.process(partition, self._store.reader(partition), records, now_ms)
        except Exception as error:
            await self.fail(error, "stage failed", partition=partition, next_offset=owned.next_offset)
            return
        owned.touched_at = monotonic()
        if not records and not outcome.state and not outcome.messages:
            return

        async def commit() -> None:
            # A tick leaves the offset alone, which is not known here before the first batch.
            changelog_offset = await owned.writer.commit(outcome, next_offset if records else None)
            self._store.write(partition, outcome.state.items(), changelog_offset)
            if records:
                owned.next_offset = next_offset
                owned.progress.committed_to(next_offset, len(records))

        owned.commit = asyncio.create_task(self._guarded(partition, commit()))

    async def _guarded(self, partition: int, commit: Awaitable[None]) -> None:
        try:
            await commit
        except ProducerFenced as error:
            await self.fail(
                error,
                "fenced: another worker has taken the partition, or the transaction timed out",
                partition=partition,
            )
        except Exception as error:
            await self.fail(error, "transaction failed", partition=partition)

    async def _committed(self, owned: OwnedPartition) -> None:
        if owned.commit is not None:
            await asyncio.wait([owned.commit])

    def _close(self) -> None:
        for partition, owned in sorted(self._owned.items()):
            if owned.open:
                owned.open = False
                self._stage.close(partition)

    async def _stop_writers(self) -> None:
        owned, self._owned = self._owned, {}
        await asyncio.gather(*(each.writer.stop() for each in owned.values()), return_exceptions=True)

    def _caught_up(self, owned: OwnedPartition, done_to: int) -> bool:
        position, highwater = owned.progress.position, owned.progress.highwater
        if position is None or highwater is None or done_to < owned.handed_to:
            return False
        return max(position, done_to) >= highwater
