"""All partitions and workers of a deployment in one view, from what the broker and the statuses say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from aiokafka import TopicPartition

from schemas.errors import StateError
from schemas.topics import ERASURES, EVENTS, MODELS, REPARTITION, with_prefix
from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, Group, Member, committed_offsets, describe_group
from streamer.kafka.connection import connection_of
from streamer.kafka.log_ends import LogEnd, log_ends
from streamer.kafka.topics import TopicState, repair_of, topic_states
from streamer.settings.settings import Settings
from streamer.worker.rollout.plan import NOTHING_DECIDED, Decided, Rollout
from streamer.worker.rollout.topic import decided
from streamer.worker.stage.partition.counters import Counters, total
from streamer.worker.stage.partition.partition_status import (
    PartitionStatus,
    SourceStatus,
    WorkerIdentity,
    decode_status,
    worker_name,
)


class TopicProblem(msgspec.Struct, frozen=True):
    """A topic that is missing or does not fit."""

    topic: str
    differences: list[str]
    repair: str


class PartitionView(msgspec.Struct, frozen=True):
    """One event partition.

    ``committed``: next offset to be read, ``None`` before the first transaction. ``lag``: records left to
    read, ``forwarded_lag`` those from other partitions. ``newest_ms``: Kafka timestamp of its last record.
    ``status``: what its owner said last; ``None`` if nothing that can be read.
    """

    partition: int
    owner: str | None
    committed: int | None
    end: int
    lag: int
    forwarded_lag: int | None
    newest_ms: int | None
    status: PartitionStatus | None

    @property
    def left(self) -> int:
        """Records left to read, those from other partitions included."""
        return self.lag + (self.forwarded_lag or 0)


class WorkerView(msgspec.Struct, frozen=True):
    """A member of the group. ``identity``: ``None`` until it has spoken for one of its partitions."""

    name: str
    host: str
    partitions: list[int]
    identity: WorkerIdentity | None


class Deployment(msgspec.Struct, frozen=True):
    """How everything is at ``now_ms``, wall time. ``topics``: how many the deployment needs.

    ``rollout``: what the operator has decided of models; ``rollout_unreadable``: why what was decided last
    cannot be read, empty where it can. ``source``: as the workers see it; ``None`` where
    none watches it. ``totals``: of all partitions since their first records. ``forwarded_share``: of the
    records read, ``None`` without any. ``erasures_left``: requests to forget a user not yet carried out, and
    their copies for other partitions.
    """

    now_ms: int
    application_id: str
    event_topic: str
    group_state: str
    topics: int
    topic_problems: list[TopicProblem]
    workers: list[WorkerView]
    partitions: list[PartitionView]
    source: SourceStatus | None
    totals: Counters
    forwarded_share: float | None
    rollout: Rollout
    rollout_unreadable: str
    erasures_left: int


async def observe(settings: Settings, now_ms: int) -> Deployment:
    """Ask the broker. Raises :class:`BrokerError` when it does not answer."""
    topics = await topic_states(settings)
    connection = connection_of(settings)
    async with connected_admin(connection) as admin:
        committed = await committed_offsets(admin, settings.group_id)
        group = await describe_group(admin, settings.group_id)
    sources = {with_prefix(settings.topic_prefix, name) for name in (EVENTS, REPARTITION.name, ERASURES)}
    read_to = {
        tp: committed.get(tp, Committed(0, "")).offset
        for state in topics
        if state.plan.name in sources
        for tp in (TopicPartition(state.plan.name, number) for number in range(state.partitions or 0))
    }
    ends = await log_ends(connection, read_to)
    may_decide = any(state.plan.name.endswith(MODELS.name) and state.partitions for state in topics)
    models = await decided(settings) if may_decide else NOTHING_DECIDED
    return deployment_of(settings, now_ms, topics, group, committed, ends, models)


def deployment_of(
    settings: Settings,
    now_ms: int,
    topics: Sequence[TopicState],
    group: Group,
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, LogEnd],
    models: Decided = NOTHING_DECIDED,
) -> Deployment:
    """The view. ``ends``: of the partitions of the events topic, and of the one for forwarded records."""
    events, erasures = (with_prefix(settings.topic_prefix, name) for name in (EVENTS, ERASURES))
    numbers = sorted(tp.partition for tp in ends if tp.topic == events)
    statuses = {number: _status(committed.get(TopicPartition(events, number))) for number in numbers}
    workers = [_worker(member, events, statuses) for member in group.members]
    owners = {number: worker.name for worker in workers for number in worker.partitions}
    partitions: list[PartitionView] = []
    for number in numbers:
        at, end = committed.get(TopicPartition(events, number)), ends[TopicPartition(events, number)]
        forwarded = ends.get(TopicPartition(with_prefix(settings.topic_prefix, REPARTITION.name), number))
        partitions.append(
            PartitionView(
                number,
                owners.get(number),
                None if at is None else at.offset,
                end.end,
                end.left,
                None if forwarded is None else forwarded.left,
                end.newest_ms,
                statuses[number],
            )
        )
    spoken = [status for status in statuses.values() if status is not None]
    totals = total(status.counters for status in spoken)
    return Deployment(
        now_ms=now_ms,
        application_id=settings.group_id,
        event_topic=events,
        group_state=group.state,
        topics=len(topics),
        topic_problems=[
            TopicProblem(state.plan.name, state.differences, repair_of(state))
            for state in topics
            if state.differences
        ],
        workers=sorted(workers, key=lambda worker: worker.name),
        partitions=partitions,
        source=_source([status for status in spoken if status.worker in _identities(workers)]),
        totals=totals,
        forwarded_share=totals.forwarded / totals.records if totals.records else None,
        rollout=models.rollout,
        rollout_unreadable=models.unreadable,
        erasures_left=sum(end.left for tp, end in ends.items() if tp.topic == erasures),
    )


def _status(committed: Committed | None) -> PartitionStatus | None:
    try:
        return None if committed is None else decode_status(committed.metadata)
    except StateError:
        # Its next owner says so in the log, and replaces it.
        return None


def _worker(member: Member, events: str, statuses: Mapping[int, PartitionStatus | None]) -> WorkerView:
    numbers = sorted(tp.partition for tp in member.partitions if tp.topic == events)
    heard = [status for number in numbers if (status := statuses.get(number)) is not None]
    name = None if member.instance_id is None else worker_name(member.instance_id)
    if name is not None:
        heard = [status for status in heard if status.worker.name == name]
    newest = max(heard, key=lambda status: status.said_ms, default=None)
    identity = None if newest is None else newest.worker
    return WorkerView(name or (identity.name if identity else member.host), member.host, numbers, identity)


def _identities(workers: Sequence[WorkerView]) -> list[WorkerIdentity]:
    return [worker.identity for worker in workers if worker.identity is not None]


def _source(spoken: Sequence[PartitionStatus]) -> SourceStatus | None:
    """The word of a worker that takes the source to be down, or else of the one that heard of it last."""
    newest: dict[WorkerIdentity, PartitionStatus] = {}
    for status in sorted(spoken, key=lambda status: status.said_ms):
        newest[status.worker] = status
    sources = [status.source for status in newest.values() if status.source is not None]
    return max(sources, key=lambda source: (source.down, source.quiet_since_ms), default=None)
