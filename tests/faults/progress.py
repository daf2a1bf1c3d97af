"""What the group has committed, sampled all the time, and how long a fault has held it up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from time import monotonic
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import BrokerError
from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import describe_group
from streamer.kafka.connection import Connection

SAMPLE_EVERY_S = 0.1
ENDS_EVERY_S = 1.0
ANSWER_WITHIN_S = 2.0
# What was committed just before a fault may become visible just after it.
SETTLED_AFTER_S = 0.2
RECOVERY_DEADLINE_S = 120.0


class Sample(NamedTuple):
    """Committed offsets by partition, at ``at`` (monotonic seconds), which is ``at_ms`` (epoch)."""

    at: float
    at_ms: int
    committed: Mapping[int, int]


class Ends(NamedTuple):
    """Ends of the output topics as a read_committed reader saw them: offsets by topic and partition."""

    at: float
    ends: Mapping[tuple[str, int], int]


class NotRecoveredError(Exception):
    """Partitions did not move on in time after a fault."""


class Progress:
    """Samples a group's committed offsets of ``topic``, and the ends of the ``outputs``.

    A broker that does not answer leaves a gap in the samples, never a wrong one.
    """

    def __init__(
        self, bootstrap: str, group: str, topic: str, outputs: Collection[str], partitions: int
    ) -> None:
        self.samples: list[Sample] = []
        self.ends: list[Ends] = []
        self._connection = Connection(bootstrap)
        self._group, self._topic = group, topic
        self._partitions = range(partitions)
        self._outputs = [TopicPartition(output, number) for output in outputs for number in self._partitions]
        quiet = {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
        # Asking for offsets without those of open transactions, which a reader of committed ones waits for.
        # As a consumer that never joins: librdkafka's admin client dies of a broker that goes away meanwhile.
        self._member = Consumer({**quiet, "group.id": group, "isolation.level": "read_uncommitted"})
        self._reader = Consumer({**quiet, "group.id": "faults-ends", "isolation.level": "read_committed"})

    async def watch(self) -> None:
        """Sample for ever."""
        looked_at = 0.0
        while True:
            committed = await asyncio.to_thread(self.committed)
            if committed is not None:
                self.samples.append(Sample(monotonic(), time.time_ns() // 1_000_000, committed))
            if monotonic() - looked_at > ENDS_EVERY_S:
                looked_at = monotonic()
                ends = await asyncio.to_thread(self._read_ends)
                if ends is not None:
                    self.ends.append(Ends(monotonic(), ends))
            await asyncio.sleep(SAMPLE_EVERY_S)

    def committed(self) -> dict[int, int] | None:
        """The committed offset of each partition, 0 for none; ``None`` if the broker does not answer."""
        partitions = [TopicPartition(self._topic, number) for number in self._partitions]
        try:
            found = self._member.committed(partitions, ANSWER_WITHIN_S)
        except KafkaException:
            return None
        if any(tp.error for tp in found):
            return None
        return {tp.partition: max(tp.offset, 0) for tp in found}

    async def owners(self) -> dict[str, tuple[int, ...]]:
        """The partitions of each member of the group, by instance id; empty while nobody owns any."""

        try:
            async with connected_admin(self._connection) as admin:
                members = (await describe_group(admin, self._group)).members
        except BrokerError:
            return {}
        return {
            member.instance_id: tuple(
                sorted(tp.partition for tp in member.partitions if tp.topic == self._topic)
            )
            for member in members
            if member.instance_id is not None
        }

    async def recovery_s(self, partitions: Collection[int], since: float) -> float:
        """Seconds from ``since`` to the moment when each of ``partitions`` has committed something new.

        Raises :class:`NotRecoveredError` when one has not in time.
        """
        deadline = monotonic() + RECOVERY_DEADLINE_S
        while True:
            later = [sample for sample in self.samples if sample.at >= since + SETTLED_AFTER_S]
            moved = [
                next((s.at for s in later if s.committed[number] > later[0].committed[number]), None)
                for number in partitions
                if later
            ]
            if moved and None not in moved:
                return max(at for at in moved if at is not None) - since
            if monotonic() > deadline:
                stuck = [p for p, at in zip(partitions, moved, strict=False) if at is None] or list(
                    partitions
                )
                raise NotRecoveredError(
                    f"partitions {stuck} committed nothing new within {RECOVERY_DEADLINE_S:g} s"
                )
            await asyncio.sleep(SAMPLE_EVERY_S)

    def longest_pause_s(self, since: float) -> float:
        """The longest time from ``since`` on in which some partition committed nothing new."""
        later = [sample for sample in self.samples if sample.at >= since]
        longest = 0.0
        for number in self._partitions:
            moved_at, offset = since, later[0].committed[number] if later else 0
            for sample in later:
                if sample.committed[number] > offset:
                    longest = max(longest, sample.at - moved_at)
                    moved_at, offset = sample.at, sample.committed[number]
        return longest

    async def reached(self, ends: Mapping[int, int], deadline_s: float) -> None:
        """Wait until all below ``ends`` is committed; raises :class:`NotRecoveredError` if not in time."""
        deadline = monotonic() + deadline_s
        while True:
            committed = self.samples[-1].committed if self.samples else {}
            behind = {p: end - committed.get(p, 0) for p, end in ends.items() if committed.get(p, 0) < end}
            if not behind:
                return
            if monotonic() > deadline:
                raise NotRecoveredError(f"after {deadline_s:g} s records are left, by partition: {behind}")
            await asyncio.sleep(SAMPLE_EVERY_S)

    def close(self) -> None:
        """Close the connections."""
        self._member.close()
        self._reader.close()

    def _read_ends(self) -> dict[tuple[str, int], int] | None:
        try:
            return {
                (tp.topic, tp.partition): self._reader.get_watermark_offsets(tp, ANSWER_WITHIN_S)[1]
                for tp in self._outputs
            }
        except KafkaException:
            return None
