"""Table recovery by whole fetches, ended by position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, cast

import structlog
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP, ConsumerT
from mode.services import WaitArgT
from mode.utils.times import Seconds

from schemas.errors import StateError
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.runtime.stores.damaged_stores import delete_damaged
from streamer.worker.runtime.stores.local_stores import keep_only
from streamer.worker.runtime.stores.store import PartitionStore, rocksdb_of
from streamer.worker.runtime.stores.store_origin import open_trusted, origin_of

log = structlog.get_logger(__name__)


class PositionRecovery(Recovery):
    """Faust's recovery without its queue of single changelog records.

    Faust ends recovery when the last record delivered has the offset before the partition's end. In
    a transactional changelog that offset is a marker, which is never delivered. Here the consumer
    writes each fetch straight to the store, and recovery ends when its position has passed the end.
    """

    _restored = 0

    def restore(self, tp: TP, records: Sequence[Any]) -> None:
        """Write fetched changelog records of one partition to the store, each once and in order.

        A partition that this worker owns is written to while it recovers; later on the worker stores itself
        what it commits.
        """
        if tp in self.standby_tps:
            offsets = self.standby_offsets
        elif self.in_recovery and tp in self.active_tps:
            offsets = self.active_offsets
            self._active_events_received_at[tp] = monotonic()
        else:
            return
        done = offsets.get(tp)
        fresh = [(r.key, r.value) for r in records if done is None or r.offset > done]
        if fresh:
            last, written_ms = records[-1].offset, records[-1].timestamp
            store = PartitionStore(self.tp_to_table[tp])
            store.write(tp.partition, fresh, last, written_ms, restoring=True)
            offsets[tp] = last
            cast(PositionTableManager, self.tables).partitions.liveness.moved()
            self._restored += tp in self.active_tps and len(fresh)

    def restored_to(self, positions: Mapping[TP, int], fetching: set[TP]) -> None:
        """End recovery if all below ``positions`` is restored and that is all there is.

        Faust resumes the changelog partitions (``fetching``) only after it has read their ends and
        sought its way to the stored offsets, and pauses them when recovery has ended; those that stand by
        stay resumed.
        """

        def complete(tps: set[TP], ends: Mapping[TP, int]) -> bool:
            return tps <= fetching and all(positions.get(tp, -1) > ends[tp] for tp in tps)

        if self.active_tps and complete(self.active_tps, self.active_highwaters):
            self.active_offsets.update(self.active_highwaters)
            self.signal_recovery_end.set()
        ready = cast(PositionTableManager, self.tables).standbys_ready
        if self.standby_tps and not ready and complete(self.standby_tps, self.standby_highwaters):
            log.info("standby has caught up", partitions=len(self.standby_tps))
            self.tables.on_standbys_ready()

    @Recovery.task
    async def _publish_stats(self) -> None:
        """Nothing: Faust would judge by its queue, which is empty here, and warn that nothing comes."""

    def _highwater_logtable(self, highwaters: Mapping[TP, int], *, title: str) -> str:  # noqa: ARG002 - Faust's
        # Faust draws a table over many lines, which a log in JSON cannot show.
        return ", ".join(f"{tp.topic}-{tp.partition} {offset}" for tp, offset in sorted(highwaters.items()))

    def _start_offsets_logtable(self, offsets: Mapping[TP, int], *, title: str) -> str:
        return self._highwater_logtable(offsets, title=title)

    def _set_recovery_started(self) -> None:
        # Faust clears the signal every five seconds only. Left from the recovery before, it would end
        # this one at once, with whatever table there is.
        super()._set_recovery_started()
        self._restored = 0
        self.signal_recovery_end.clear()

    async def _build_offsets(
        self, consumer: ConsumerT, tps: set[TP], destination: Counter[TP], title: str
    ) -> None:
        # Faust would say so as well, save where the changelog ends after its first record.
        await super()._build_offsets(consumer, tps, destination, title)
        # Those that stand by are looked at when they are taken over: their ends are not known yet.
        beyond = sorted(tp for tp in tps & self.active_tps if destination[tp] > self.active_highwaters[tp])
        if beyond:
            numbers = ", ".join(str(tp.partition) for tp in beyond)
            raise StateError(
                f"the local store has seen more of {beyond[0].topic} than there is (partitions {numbers}): "
                "the changelog was truncated. Delete the folder STREAMER_DATA_DIR of every "
                "worker: the states are then those that the changelog has"
            )

    async def _wait(self, coro: WaitArgT, timeout: Seconds | None = None) -> None:  # noqa: ASYNC109 - Faust's
        try:
            await super()._wait(coro, timeout)
        except ServiceStopped:
            # Faust takes a time-out for a stop and ends recovery without a word, and the worker would
            # hold its partitions for ever without processing them.
            if not self.should_stop and not self.app.should_stop:
                await self.app.crash(TimeoutError("the broker did not answer during recovery"))
            raise

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        # Faust resumes the event partitions, then seeks to the committed offsets and empties its
        # queues: whatever is fetched in between would be lost. So no record flows until it is done.
        self.app.consumer.stop_flow()
        self.app.flow_control.suspend()
        if generation_id != self.app.consumer_generation_id:
            # Faust comes here as well when the next rebalance has cut recovery short.
            return
        log.info("table recovered", records=self._restored, partitions=len(self.active_tps))
        if await cast(PositionTableManager, self.tables).partitions.open():
            await super().on_recovery_completed(generation_id)


class PositionTableManager(TableManager):
    """Faust's table manager with :class:`PositionRecovery`.

    ``partitions`` and the ``changelog_id`` are set before the start.
    """

    partitions: Partitions
    changelog_id: str

    @property
    def recovery(self) -> PositionRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = PositionRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        assert isinstance(self._recovery, PositionRecovery)
        return self._recovery

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Open the stores of this worker's partitions, and delete all others."""
        stores = [(rocksdb_of(table), table.changelog_topic.topics) for table in self.values()]
        for store, topics in stores:
            # Also those that a rebalance before this one could not open in time.
            unopened = {tp for tp in assigned if tp.partition not in store._dbs}
            new = sorted(tp.partition for tp in newly_assigned | unopened if tp.topic in topics)
            delete_damaged(store, new)
            (changelog,) = topics
            for partition in new:
                origin = origin_of(changelog, self.changelog_id, partition)
                await open_trusted(store, partition, origin, generation_id)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        for store, topics in stores:
            # A standby's partitions are among those that are assigned.
            keep_only(store, {tp.partition for tp in assigned if tp.topic in topics})
