"""Faust's aiokafka transport with batches of records as messages.

Each override says what it replaces and why; a unit test compares the replaced methods with the
versions these were written against.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types.tuples import Message

from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.runtime.recovery import PositionTableManager

# A fetch that finds only a transaction's marker returns nothing and uses its whole time-out up, so
# recovery, whose end it decides, asks in shorter turns.
RECOVERY_TIMEOUT_S = 0.1
# Faust's fixed 1.5 s would be a pause whenever partitions are resumed: the fetch under way, which
# does not ask for them, is waited for first.
FETCH_MAX_WAIT_MS = 250
# While records come, a fetch may ask for nothing but quiet partitions, since what was fetched of the others
# still waits: these must not wait for it as well.
BUSY_FETCH_MAX_WAIT_MS = 60


class BatchTransport(Transport):
    """Connects Faust's consumer with the partitions that it feeds."""

    Consumer: ClassVar[type[Any]]

    def __init__(self, app: faust.App, options: WorkerOptions, partitions: Partitions) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.source_topics = options.source_topics
        self.erasure_topic = options.erasure_topic
        self.partitions = partitions


class ReadCommittedThread(AIOKafkaConsumerThread):
    """The consumer's thread, which sees committed records only."""

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        # Faust sets the isolation level by its own transaction mode alone, which stays off.
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        # aiokafka empties one partition's fetch before it begins the next. Taking ``max_records`` of
        # each partition lets the stage work on one while the others' transactions are under way.
        # Faust changes the set of active partitions while this waits, and aiokafka takes an empty one
        # for all partitions, paused ones included; hence the copy.
        wanted = set(active_partitions)
        fetched: dict[TP, list[Any]] = {}
        erasures = {tp for tp in wanted if tp.topic == cast(BatchTransport, self.transport).erasure_topic}
        for tp in erasures:
            fetched.update(await super()._fetch_records(consumer, {tp}, 0, max_records))
        # A request to forget a user goes before whatever waits beside it, so an erased user's events do not
        # come back when both topics are read from the start.
        waiting = {tp.partition for tp in erasures if not _is_read(consumer, tp)}
        wanted = erasures | {tp for tp in wanted if tp.partition not in waiting}
        for tp in wanted - erasures:
            fetched.update(await super()._fetch_records(consumer, {tp}, 0, max_records))
        if not fetched:
            fetched.update(await super()._fetch_records(consumer, wanted, timeout, max_records))
        fetcher = consumer._fetcher
        assert fetcher is not None
        fetcher._fetch_max_wait_ms = BUSY_FETCH_MAX_WAIT_MS if fetched else FETCH_MAX_WAIT_MS
        return fetched

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        # Faust waits for a stopped consumer's errors, not for those of an event loop that has ended with it.
        if self.thread_loop.is_closed():
            raise ConsumerStoppedError
        return await super().call_thread(fun, *args, **kwargs)

    def _stopped_set(self) -> None:
        # A thread that has ended by itself has nobody to wake.
        if not self.thread_loop.is_closed():
            super()._stopped_set()

    def close(self) -> None:
        """Nothing: the thread closes its consumer when it stops.

        Faust would close it from another thread's event loop, and the group would not be left in order.
        """

    async def seek_to_committed(self) -> Mapping[TP, int]:
        # aiokafka leaves a partition without a committed offset where it is, also when records of it
        # were fetched and dropped; those would be lost.
        return await self.call_thread(self._seek_event_partitions)

    async def _seek_event_partitions(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        topics = cast(BatchTransport, self.transport).source_topics
        partitions = [tp for tp in consumer.assignment() if tp.topic in topics]
        if not partitions:
            return {}
        offsets: dict[TP, int] = await consumer.seek_to_committed(*partitions)
        if uncommitted := [tp for tp, offset in offsets.items() if not offset]:
            await consumer.seek_to_beginning(*uncommitted)
        return offsets

    def positions(self) -> dict[TP, tuple[int, int | None]]:
        """Position and end of each assigned partition that has a position; does not wait."""
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return {}
        found: dict[TP, tuple[int, int | None]] = {}
        for tp in subscription.assignment.tps:
            state = subscription.assignment.state_value(tp)
            if state is not None and state.has_valid_position:
                found[TP(tp.topic, tp.partition)] = (state.position, state.highwater)
        return found


def _is_read(consumer: AIOKafkaConsumer, tp: TP) -> bool:
    """Whether all that is committed in ``tp``, as of the last answer of the broker, has been fetched."""
    subscription = consumer._subscription.subscription
    if subscription is None or subscription.assignment is None:
        return False
    state = subscription.assignment.state_value(TopicPartition(tp.topic, tp.partition))
    if state is None or not state.has_valid_position or state.lso is None:
        return False
    return bool(state.position >= state.lso)


class BatchConsumer(Consumer):
    """Yields the records that a fetch found in one event partition as one message."""

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's signature
        # Replaces delivery record by record. Faust asks again only when everything yielded before is
        # in the stream's queue, so below the positions seen here nothing is on its way.
        self._note_positions()
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        recovery = cast(PositionTableManager, self.app.tables).recovery
        generation = self.app.consumer_generation_id
        fetched, _ = await self._wait_next_records(RECOVERY_TIMEOUT_S if recovery.in_recovery else timeout)
        if not fetched or self.should_stop:
            return
        events: dict[TP, list[Any]] = {}
        for tp, records in fetched.items():
            if tp.topic in self._streaming.source_topics:
                events[tp] = records
            else:
                # Also after a rebalance: what is fetched is fetched once, and restoring it is never wrong.
                recovery.restore(tp, records)
        for tp, records in events.items():
            if not self.flow_active:
                # Whatever stopped the flow seeks back to the committed offsets before it starts again.
                return
            if generation != self.app.consumer_generation_id:
                await self.perform_seek()
                return
            message = self._to_message(tp, records[-1])
            message.key, message.value = None, cast(Any, records)
            self._streaming.partitions.handed(tp.topic, tp.partition, records[-1].offset + 1)
            yield tp, message

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: the bounded queue of batches holds the fetcher back by itself.

        Faust would stop fetching ``tp``, and with all partitions stopped sleep for a second.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing, as :meth:`on_buffer_full`."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust looks for single messages and commits of its own, misses them, and warns.

        Whether a worker gets anywhere is told by what its transactions commit, at ``/live``.
        """

    async def wait_empty(self) -> None:
        # Called on revocation and at shutdown. Faust waits for messages not acknowledged; this topic
        # has no acknowledgements, since its offsets go with the transactions.
        await self._streaming.partitions.release()
        await super().wait_empty()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        if self.app.should_stop:
            # Faust ignores a rebalance that comes during the stop. Transactions under way must end before
            # the next owner may begin, which would fence them.
            await self._streaming.partitions.release()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        # Former owners must be fenced before Faust reads a changelog's end or a committed offset.
        partitions = self._streaming.partitions
        if self.app.should_stop:
            # They go to somebody else at once; taking them over would fence whoever has them.
            await super().on_partitions_assigned(assigned, generation_id)
            return
        try:
            await partitions.take_over(assigned)
        except Exception as error:
            await partitions.fail(error, "cannot take the assigned partitions over")
            return
        await super().on_partitions_assigned(assigned, generation_id)

    @property
    def _streaming(self) -> BatchTransport:
        return cast(BatchTransport, self.transport)

    def _note_positions(self) -> None:
        if not self.flow_active:
            return
        positions = cast(ReadCommittedThread, self._thread).positions()
        for tp, (position, highwater) in positions.items():
            if tp.topic in self._streaming.source_topics:
                self._streaming.partitions.fetched(tp.topic, tp.partition, position, highwater)
        cast(PositionTableManager, self.app.tables).recovery.restored_to(
            {tp: position for tp, (position, _) in positions.items()}, self._get_active_partitions()
        )


BatchTransport.Consumer = BatchConsumer
