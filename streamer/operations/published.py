"""Whether what an events topic holds lies where a replay would put it."""

from __future__ import annotations

from typing import Final

from aiokafka import TopicPartition

from schemas.errors import MalformedEventError, TopicError
from schemas.event import Event
from schemas.wire.decoding import decode_event
from schemas.wire.wire_format import content_type_of
from streamer.kafka.connection import connection_of
from streamer.kafka.log_ends import newest_records
from streamer.kafka.reading import Consumed
from streamer.settings.settings import Settings
from streamer.worker.stage.repartition import partition_of

STRAY_SHARE: Final = 0.1
"""A smaller share that lies elsewhere is somebody's trial; another partitioner moves half of all records."""


async def stray_warning(settings: Settings, topic: str, partitions: int) -> str | None:
    """A warning where a few of the topic's newest records lie elsewhere than murmur2 of their users says.

    Raises :class:`TopicError` where more than a few do, and :class:`BrokerError` when no broker answers.
    With ``STREAMER_REPARTITION`` it does not matter where they lie.
    """
    if settings.repartition:
        return None
    tails = await newest_records(
        connection_of(settings), (TopicPartition(topic, n) for n in range(partitions))
    )
    users = [
        (tp.partition, event.user_id)
        for tp, records in tails.items()
        for record in records
        if (event := _event(record, settings)) is not None
    ]
    strays = sum(partition_of(user_id, partitions) != partition for partition, user_id in users)
    if not strays:
        return None
    found = (
        f"{strays:,} of the {len(users):,} newest events in {topic} lie in another partition than the one "
        "that a replay puts their users in (murmur2 of user_id)"
    )
    if strays < STRAY_SHARE * len(users):
        return f"{found}: see that all producers are keyed by user_id, with the partitioner murmur2_random."
    raise TopicError(
        f"{found}, so users of both would have two states. Nothing was published. Key the producer by "
        "user_id with `partitioner=murmur2_random` and begin with a new topic, or set "
        "STREAMER_REPARTITION=true for the workers and for this command: docs/platforms.md."
    )


def _event(record: Consumed, settings: Settings) -> Event | None:
    try:
        found = decode_event(
            record.value, content_type_of(record.headers), record.timestamp, settings.event_format
        )
    except MalformedEventError:
        return None
    return found if isinstance(found, Event) else None
