"""Committed offsets of a consumer group with what was said beside them, and the group's members."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

# A coordinator that has just moved reads its groups from the log first.
COORDINATOR_DEADLINE_S: Final = 30.0
RETRY_S: Final = 0.1

# The broker names a member by its instance id, or else by its client id, and a UUID.
_MEMBER_ID: Final = re.compile(r"(.*)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Answer = TypeVar("Answer")


class Committed(NamedTuple):
    """The next offset to be read, and the string that was committed with it."""

    offset: int
    metadata: str


class Member(NamedTuple):
    """A member of a consumer group. ``instance_id``: ``None`` without static membership."""

    instance_id: str | None
    host: str
    partitions: tuple[TopicPartition, ...]


class Group(NamedTuple):
    """A consumer group; ``state`` as Kafka calls it: Stable, Empty, Dead, PreparingRebalance, …"""

    state: str
    members: tuple[Member, ...]


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, Committed]:
    """Everything that ``group`` has committed.

    aiokafka's own reading of this answer takes an error of the whole group, as a coordinator gives that has
    just moved, for a group that has never committed; here it is asked again. Raises ``KafkaError`` when the
    coordinator does not answer in time.
    """

    async def ask() -> dict[TopicPartition, Committed]:
        coordinator = await admin.find_coordinator(group)
        answer: Any = await admin._send_request(OffsetFetchRequest(group, None), coordinator)
        _check(answer.error_code)
        found: dict[TopicPartition, Committed] = {}
        for topic, partitions in answer.topics:
            for partition, offset, metadata, error_code in partitions:
                _check(error_code)
                if offset >= 0:
                    found[TopicPartition(topic, partition)] = Committed(offset, metadata or "")
        return found

    return await _answered(ask)


async def describe_group(admin: AIOKafkaAdminClient, group: str) -> Group:
    """The group's state and members; raises as :func:`committed_offsets`."""

    async def ask() -> Group:
        answers: list[Any] = await admin.describe_consumer_groups([group])
        ((error_code, _, state, _, _, members, *_),) = answers[0].groups
        _check(error_code)
        return Group(state, tuple(_member(*member) for member in members))

    return await _answered(ask)


def _member(member_id: str, client_id: str, host: str, _: bytes, assignment: bytes) -> Member:
    name = _MEMBER_ID.fullmatch(member_id)
    instance_id = None if name is None or name[1] == client_id else name[1]
    assigned = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    return Member(instance_id, host.removeprefix("/"), tuple(assigned))


async def _answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    deadline = monotonic() + COORDINATOR_DEADLINE_S
    while True:
        try:
            return await ask()
        except KafkaError as error:
            if not error.retriable or monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


def _check(error_code: int) -> None:
    if error_code:
        raise for_code(error_code)()
