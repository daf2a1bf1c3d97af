"""The topics on the broker: what the contract needs, what is there, what is created.

Retention is a choice for each topic. Kafka counts it by record timestamps, and a replayed history bears
its own, so ``commerce.events.v1`` and the erasure requests keep everything (``retention.ms=-1``); whoever
wants less sets it on the topic. Alerts, decisions and dead letters are kept for 90 days after writing;
compacted topics keep a key's newest record. What the worker writes is stamped by the broker
(``LogAppendTime``), which refuses records whose writer's clock is an hour ahead of its own. On the events
topic the same bound is set, which brokers before Kafka 3.6 do not know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidConfigurationError, for_code

from schemas.errors import TopicError
from schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    DECISIONS,
    EVENTS,
    MODELS,
    MOVE_EVENTS,
    REPARTITION,
    SCORES,
    TOPICS,
    with_prefix,
)
from schemas.units import DAY_MS
from streamer.kafka.admin import connected_admin
from streamer.kafka.connection import connection_of
from streamer.settings.settings import Settings

APPENDED_BY_WORKER = (ALERTS, DECISIONS, DEAD_LETTERS)
APPENDED_RETENTION_MS = 90 * DAY_MS
FORWARDED_RETENTION_MS = 14 * DAY_MS
# By then at the latest Kafka compacts what is overwritten or deleted; by itself it may never do so.
COMPACTION_LAG_MS = 7 * DAY_MS
# For so long after its compaction a changelog tells of a deletion; local stores rely on it.
DELETIONS_KEPT_MS = DAY_MS
VISIBLE_DEADLINE_S = 30.0
AHEAD_SETTING = "message.timestamp.after.max.ms"
MAX_AHEAD_MS = 3600 * 1000
TABLE_NAME = "users"
CHANGELOG_MAX_BYTES = 1024 * 1024


class TopicPlan(NamedTuple):
    """A topic as it should be. ``configuration`` holds Kafka's topic settings."""

    name: str
    partitions: int
    configuration: dict[str, str]


class TopicState(NamedTuple):
    """A topic as it should be and as it is; ``partitions`` is ``None`` where it does not exist."""

    plan: TopicPlan
    partitions: int | None
    configuration: dict[str, str]

    @property
    def differences(self) -> list[str]:
        """What does not fit, in words; empty when the topic is as it should be."""
        if self.partitions is None:
            return ["missing"]
        found: list[str] = []
        if self.partitions != self.plan.partitions:
            found.append(f"{self.partitions} partitions, expected {self.plan.partitions}")
        policy = self.configuration["cleanup.policy"]
        if policy != self.plan.configuration["cleanup.policy"]:
            found.append(f"cleanup.policy {policy}, expected {self.plan.configuration['cleanup.policy']}")
        for name in ("max.message.bytes", "delete.retention.ms"):
            needed = self.plan.configuration.get(name)
            if needed is not None and int(self.configuration[name]) < int(needed):
                found.append(f"{name} {self.configuration[name]}, expected at least {needed}")
        return found


def changelog_topic(application_id: str) -> str:
    """The changelog of the worker's table, as Faust names it."""
    return f"{application_id}-{TABLE_NAME}-changelog"


def planned_topics(settings: Settings, partitions: int) -> list[TopicPlan]:
    """The contract's topics, the changelog, all with the same number of partitions, and that of models.

    Outputs and changelog go to the partition of the events that caused them, so the numbers must agree.
    """
    plans: list[TopicPlan] = []
    for topic in TOPICS:
        configuration = {
            "cleanup.policy": topic.cleanup_policy,
            "max.message.bytes": str(topic.max_message_bytes),
        }
        if topic.name == DEAD_LETTERS:
            configuration["max.message.bytes"] = str(settings.dead_letter_max_bytes)
        if topic.name in (*APPENDED_BY_WORKER, SCORES):
            configuration["message.timestamp.type"] = "LogAppendTime"
        if topic.name == EVENTS:
            configuration[AHEAD_SETTING] = str(MAX_AHEAD_MS)
        if topic.name in APPENDED_BY_WORKER:
            configuration["retention.ms"] = str(APPENDED_RETENTION_MS)
        elif topic.cleanup_policy == "delete":
            configuration["retention.ms"] = "-1"
        else:
            configuration["max.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
        plans.append(TopicPlan(with_prefix(settings.topic_prefix, topic.name), partitions, configuration))
    if settings.repartition:
        # Stamped by the broker: what was forwarded counts its age from then, not from when it was sent.
        forwarded = {
            "cleanup.policy": REPARTITION.cleanup_policy,
            "max.message.bytes": str(REPARTITION.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(FORWARDED_RETENTION_MS),
        }
        plans.append(TopicPlan(with_prefix(settings.topic_prefix, REPARTITION.name), partitions, forwarded))
    models = {"cleanup.policy": MODELS.cleanup_policy, "max.message.bytes": str(MODELS.max_message_bytes)}
    plans.append(TopicPlan(with_prefix(settings.topic_prefix, MODELS.name), 1, models))
    changelog = {
        "cleanup.policy": "compact",
        "max.message.bytes": str(CHANGELOG_MAX_BYTES),
        "message.timestamp.type": "LogAppendTime",
        "max.compaction.lag.ms": str(COMPACTION_LAG_MS),
        "delete.retention.ms": str(DELETIONS_KEPT_MS),
    }
    return [*plans, TopicPlan(changelog_topic(settings.group_id), partitions, changelog)]


async def topic_states(settings: Settings) -> list[TopicState]:
    """Every topic as it is beside as it should be; the events topic's partitions are those that count.

    Where it does not exist, ``settings.partitions`` do. Raises :class:`BrokerError` within about ten
    seconds when no broker answers.
    """
    async with connected_admin(connection_of(settings)) as admin:
        return await _states(admin, settings)


async def create_missing_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing, wait until they are visible, and return their names.

    Topics that exist are left as they are. Raises :class:`TopicError` when the broker refuses one,
    :class:`BrokerError` when none answers.
    """
    async with connected_admin(connection_of(settings)) as admin:
        missing = [state.plan for state in await _states(admin, settings) if state.partitions is None]
        if not missing:
            return []
        await create_topics(admin, missing, settings.replication_factor)
        await _wait_until_visible(admin, [plan.name for plan in missing])
        return [plan.name for plan in missing]


async def create_topics(admin: AIOKafkaAdminClient, plans: Sequence[TopicPlan], replicas: int) -> None:
    """Create topics, from a broker that does not know :data:`AHEAD_SETTING` without it.

    Raises :class:`TopicError` when the broker refuses one.
    """
    response: Any = await admin.create_topics(
        [NewTopic(plan.name, plan.partitions, replicas, topic_configs=plan.configuration) for plan in plans]
    )
    by_name = {plan.name: plan for plan in plans}
    older: list[TopicPlan] = []
    for name, code, *message in response.topic_errors:
        error, configuration = for_code(code), dict(by_name[name].configuration)
        if error is InvalidConfigurationError and configuration.pop(AHEAD_SETTING, None) is not None:
            older.append(by_name[name]._replace(configuration=configuration))
        # Somebody else may have created it in the meantime: whether it fits is checked like any other's.
        elif code != 0 and error.__name__ != "TopicAlreadyExistsError":
            reason = message[0] if message and message[0] else error.description
            raise TopicError(f"topic {name} could not be created: {reason}")
    if older:
        await create_topics(admin, older, replicas)


async def check_topics(settings: Settings) -> int:
    """The number of partitions when all topics are there and fit; what a worker asks before it starts.

    Raises :class:`TopicError` that names each topic, what was found and expected, and the repair,
    :class:`BrokerError` when no broker answers.
    """
    states = await topic_states(settings)
    wrong = [state for state in states if state.differences]
    if wrong:
        details = "; ".join(f"{state.plan.name}: {', '.join(state.differences)}" for state in wrong)
        repair = " ".join(dict.fromkeys(repair_of(state) for state in wrong))
        raise TopicError(f"topics at {settings.bootstrap} do not fit: {details}. {repair}")
    return states[0].plan.partitions


def repair_of(state: TopicState) -> str:
    """What an operator can do about a topic that does not fit."""
    if state.partitions is None:
        return "Create what is missing with `streamer topics --apply`."
    if state.partitions != state.plan.partitions:
        if state.partitions < state.plan.partitions:
            return f"Partitions of keyed records can't be added in place. {MOVE_EVENTS}"
        return (
            "Partitions that hold keyed records can't be changed in place: create the topic anew, or choose "
            "another STREAMER_TOPIC_PREFIX or STREAMER_APPLICATION_ID."
        )
    return "Set the topic's configuration with `kafka-configs.sh --alter --entity-type topics`."


async def _states(admin: AIOKafkaAdminClient, settings: Settings) -> list[TopicState]:
    # Asked without names: a broker may create a topic that is asked for by name.
    found: dict[str, int] = {
        topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()
    }
    events = with_prefix(settings.topic_prefix, EVENTS)
    plans = planned_topics(settings, found.get(events, settings.partitions))
    configurations = await _configurations(admin, [plan.name for plan in plans if plan.name in found])
    return [TopicState(plan, found.get(plan.name), configurations.get(plan.name, {})) for plan in plans]


async def _configurations(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configurations: dict[str, dict[str, str]] = {}
    responses: list[Any] = await admin.describe_configs(resources)
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code != 0:
                raise TopicError(
                    f"the configuration of topic {name} cannot be read: {message or for_code(code)}"
                )
            configurations[name] = {entry[0]: entry[1] for entry in entries}
    return configurations


async def _wait_until_visible(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    deadline = time.monotonic() + VISIBLE_DEADLINE_S
    while True:
        topics: list[dict[str, Any]] = await admin.describe_topics()
        led = {
            topic["topic"]
            for topic in topics
            if all(partition["leader"] >= 0 for partition in topic["partitions"])
        }
        pending = [name for name in names if name not in led]
        if not pending:
            return
        if time.monotonic() > deadline:
            raise TopicError(
                f"created topics did not get their leaders: {', '.join(pending)}; see the broker's log"
            )
        await asyncio.sleep(0.1)
