"""Publish a request to forget a user, and tell when the workers have carried out all of them."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from aiokafka import TopicPartition

from schemas.erasure import ErasureRequest
from schemas.errors import TopicError
from schemas.topics import ERASURES, with_prefix
from schemas.wire.encoding import encode_erasure
from streamer.kafka.admin import connected_admin
from streamer.kafka.committed import Committed, committed_offsets
from streamer.kafka.connection import connection_of
from streamer.kafka.log_ends import log_ends
from streamer.kafka.publishing import replay
from streamer.kafka.topics import TopicState, topic_states
from streamer.settings.settings import Settings

LOOK_EVERY_S: Final = 0.2


async def publish_erasure(settings: Settings, request: ErasureRequest) -> None:
    """Append ``request`` to the erasure topic; raises ``TopicError`` where there is none, ``BrokerError``."""
    topic = await _erasure_topic(settings)
    record = (request.user_id.encode(), encode_erasure(request), request.requested_ms)
    await replay(connection_of(settings), topic.plan.name, [record])


async def wait_for_erasures(settings: Settings, deadline_s: float) -> bool:
    """Wait until every request published so far is carried out; false when that takes too long.

    A request's copies for the other partitions appear in the transaction in which it is read itself, so once
    nothing is left to read in any partition everything is done.
    """
    topic, connection = await _erasure_topic(settings), connection_of(settings)
    partitions = [TopicPartition(topic.plan.name, number) for number in range(topic.partitions or 0)]
    deadline = monotonic() + deadline_s
    async with connected_admin(connection) as admin:
        while True:
            committed = await committed_offsets(admin, settings.group_id)
            read_to = {tp: committed.get(tp, Committed(0, "")).offset for tp in partitions}
            if not any(end.left for end in (await log_ends(connection, read_to)).values()):
                return True
            if monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)


async def _erasure_topic(settings: Settings) -> TopicState:
    name = with_prefix(settings.topic_prefix, ERASURES)
    state = next(state for state in await topic_states(settings) if state.plan.name == name)
    if state.partitions is None:
        raise TopicError(f"topic {name} does not exist: create it with `streamer topics --apply`.")
    return state
