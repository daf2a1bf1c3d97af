"""Whether states are of the topics that their worker reads and writes now."""

from __future__ import annotations

from typing import Final

from schemas.errors import TopicError
from schemas.topics import MOVE_EVENTS
from streamer.worker.stage.partition.partition_record import SourceTopics

BEGIN_AGAIN: Final = (
    "Begin again with another STREAMER_APPLICATION_ID: its workers read the topic from its beginning; "
    "`alerts_from` of the policy keeps them from alarming about the past."
)


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
