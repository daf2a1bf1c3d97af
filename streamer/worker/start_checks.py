"""Whether a deployment can go on where it stood: the topics are those that its states were made of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Final

import structlog
from aiokafka import TopicPartition

from schemas.errors import StateError, TopicError
from schemas.topics import ERASURES, EVENTS, REPARTITION, with_prefix
from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, committed_offsets
from streamer.kafka.connection import Connection, connection_of
from streamer.kafka.log_ends import Span, log_spans
from streamer.kafka.topic_ids import topic_ids
from streamer.kafka.topics import MOVE_EVENTS, changelog_topic
from streamer.settings.settings import Settings
from streamer.worker.stage.partition.partition_record import SourceTopics
from streamer.worker.stage.partition.partition_status import decode_status

log = structlog.get_logger(__name__)

BEGIN_AGAIN: Final = (
    "Begin again with another STREAMER_APPLICATION_ID: its workers read the topic from its beginning; "
    "`alerts_from` of the policy keeps them from alarming about the past."
)
END_DEADLINE_S: Final = 5.0
"""A broker that has just taken a partition over may know of fewer records than there are, for a moment."""


async def check_continuity(settings: Settings, partitions: int) -> SourceTopics:
    """The topics as they are, where the states and offsets are of the same ones.

    ``partitions``: of the events topic. Raises :class:`TopicError` that says what has happened and what to
    do, :class:`BrokerError` when no broker answers.
    """
    events, changelog = with_prefix(settings.topic_prefix, EVENTS), changelog_topic(settings.group_id)
    connection = connection_of(settings)
    async with connected_admin(connection) as admin:
        ids = await topic_ids(admin, (events, changelog))
        committed = await committed_offsets(admin, settings.group_id)
    now = SourceTopics(ids[events], ids[changelog], partitions)
    of_events = {tp: at for tp, at in committed.items() if tp.topic == events}
    for before in _topics_said(of_events.values()):
        check_topics_unchanged(before, now)
    sources = {
        events,
        with_prefix(settings.topic_prefix, ERASURES),
        *([with_prefix(settings.topic_prefix, REPARTITION.name)] if settings.repartition else ()),
    }
    await _check_offsets(connection, {tp: at for tp, at in committed.items() if tp.topic in sources})
    return now


def check_topics_unchanged(before: SourceTopics | None, now: SourceTopics | None) -> None:
    """Raise :class:`TopicError` where states of the topics ``before`` would go on with other ones.

    ``None`` stands for topics that are not known.
    """
    if before is None or now is None or before == now:
        return
    if before.partitions != now.partitions:
        raise TopicError(
            f"the events topic has {now.partitions} partitions, and the users' states are of a time when it "
            f"had {before.partitions}: users' events now go to other partitions than their states. "
            f"{MOVE_EVENTS}"
        )
    if before.events != now.events:
        raise TopicError(
            f"the events topic was deleted and created anew: its id is {now.events}, and the users' states "
            f"are of the topic with the id {before.events}. {BEGIN_AGAIN}"
        )
    raise TopicError(
        f"the changelog was deleted and created anew: its id is {now.changelog}, and the users' states lay "
        f"in the topic with the id {before.changelog}. {BEGIN_AGAIN}"
    )


def check_partition(partition: int, topics: SourceTopics | None) -> None:
    """Raise :class:`TopicError` where a partition has been added since the worker has started."""
    if topics is not None and partition >= topics.partitions:
        raise TopicError(
            f"the events topic had {topics.partitions} partitions when this worker started, and now it is "
            f"given partition {partition}: users' events go to other partitions than their states. "
            f"{MOVE_EVENTS}"
        )


def _topics_said(committed: Iterable[Committed]) -> Iterable[SourceTopics]:
    for at in committed:
        try:
            status = decode_status(at.metadata)
        except StateError:
            continue  # the stage says so when it takes the partition over
        if status is not None and status.topics is not None:
            yield status.topics


async def _check_offsets(connection: Connection, committed: Mapping[TopicPartition, Committed]) -> None:
    deadline = monotonic() + END_DEADLINE_S
    while beyond := _beyond(committed, spans := await log_spans(connection, committed)):
        if monotonic() > deadline:
            raise TopicError(
                f"records were read that are not there any more ({'; '.join(beyond)}): the topic was "
                "truncated, and what comes next would be passed over. Go on at its present end, without what "
                "is missing: `kafka-consumer-groups.sh --reset-offsets --to-latest --execute` for these "
                "partitions."
            )
        await asyncio.sleep(0.5)
    for tp, at in committed.items():
        if (lost := spans[tp].beginning - at.offset) > 0:
            log.error(
                "records were deleted before they were read: the topic's retention is too short",
                topic=tp.topic,
                partition=tp.partition,
                offsets=lost,
            )


def _beyond(committed: Mapping[TopicPartition, Committed], spans: Mapping[TopicPartition, Span]) -> list[str]:
    return [
        f"{tp.topic}, partition {tp.partition}: read up to offset {at.offset:,}, ends at {spans[tp].end:,}"
        for tp, at in sorted(committed.items())
        if at.offset > spans[tp].end
    ]
