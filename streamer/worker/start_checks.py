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
from streamer.kafka.topics import changelog_topic
from streamer.settings.settings import Settings
from streamer.worker.stage.partition.partition_record import SourceTopics
from streamer.worker.stage.partition.partition_status import decode_status
from streamer.worker.stage.source_topics import check_topics_unchanged

log = structlog.get_logger(__name__)

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
