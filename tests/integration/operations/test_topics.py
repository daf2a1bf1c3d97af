"""Topics on a real broker: shown, created, checked, and never changed."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError

from schemas.errors import BrokerError, TopicError
from schemas.event import MAX_EVENT_BYTES
from schemas.topics import ALERTS, DEAD_LETTERS, ERASURES, EVENTS, MODELS, SCORES, TOPICS
from streamer import cli
from streamer.kafka.topics import (
    changelog_topic,
    check_topics,
    create_missing_topics,
    planned_topics,
    topic_states,
)
from streamer.settings.settings import Settings
from tests.integration.conftest import Broker


@pytest.fixture
def settings(broker: Broker, topic_prefix: str) -> Settings:
    return Settings(
        bootstrap=broker.bootstrap,
        topic_prefix=topic_prefix,
        application_id=f"{topic_prefix}app",
        partitions=3,
    )


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings for a command."""
    for name in ("bootstrap", "topic_prefix", "application_id", "partitions"):
        monkeypatch.setenv(f"STREAMER_{name.upper()}", str(getattr(settings, name)))


async def create(settings: Settings, name: str, partitions: int, **configuration: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    configs = {key.replace("_", "."): value for key, value in configuration.items()}
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    await admin.close()


async def configuration_of(settings: Settings, name: str) -> dict[str, str]:
    states = await topic_states(settings)
    return next(state.configuration for state in states if state.plan.name == settings.topic_prefix + name)


def test_created_topics_are_those_of_the_contract_and_fit(settings: Settings) -> None:
    async def scenario() -> None:
        created = await create_missing_topics(settings)
        assert set(created) == {
            *(settings.topic_prefix + topic.name for topic in (*TOPICS, MODELS)),
            changelog_topic(settings.group_id),
        }
        assert await check_topics(settings) == 3
        assert await create_missing_topics(settings) == []
        events = await configuration_of(settings, EVENTS)
        assert (events["cleanup.policy"], events["retention.ms"]) == ("delete", "-1")
        assert events["message.timestamp.after.max.ms"] == "3600000"
        assert (await configuration_of(settings, SCORES))["cleanup.policy"] == "compact"
        for topic in (ALERTS, SCORES):
            assert (await configuration_of(settings, topic))["message.timestamp.type"] == "LogAppendTime"

    asyncio.run(scenario())


def test_a_dead_letter_has_room_for_an_event_and_its_headers(settings: Settings) -> None:
    """An event just above its limit comes in, and goes out as it came with headers of 16 KiB."""
    value = b"x" * (MAX_EVENT_BYTES + 1)
    headers = [("error-message", b"y" * 16 * 1024)]

    async def scenario() -> None:
        await create_missing_topics(settings)
        async with AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap, max_request_size=64 * MAX_EVENT_BYTES
        ) as producer:
            await producer.send_and_wait(settings.topic_prefix + EVENTS, value)
            await producer.send_and_wait(settings.topic_prefix + DEAD_LETTERS, value, headers=headers)
            with pytest.raises(MessageSizeTooLargeError):
                await producer.send_and_wait(settings.topic_prefix + ALERTS, value)

    asyncio.run(scenario())


def test_an_existing_events_topic_decides_the_partitions(settings: Settings) -> None:
    async def scenario() -> None:
        await create(settings, settings.topic_prefix + EVENTS, 5, max_message_bytes=str(8 * MAX_EVENT_BYTES))
        await create_missing_topics(settings)
        assert await check_topics(settings) == 5

    asyncio.run(scenario())


def test_a_worker_is_told_what_is_missing_and_what_creates_it(settings: Settings) -> None:
    with pytest.raises(TopicError) as refusal:
        asyncio.run(check_topics(settings))
    for plan in planned_topics(settings, 3):
        assert f"{plan.name}: missing" in str(refusal.value)
    assert "streamer topics --apply" in str(refusal.value)


def test_what_does_not_fit_is_named_with_found_and_expected_and_left_alone(settings: Settings) -> None:
    changelog = changelog_topic(settings.group_id)

    async def scenario() -> None:
        await create(settings, changelog, 2, cleanup_policy="compact")
        await create(settings, settings.topic_prefix + SCORES, 3, cleanup_policy="delete")
        await create(settings, settings.topic_prefix + DEAD_LETTERS, 3, max_message_bytes="1000")
        await create_missing_topics(settings)
        with pytest.raises(TopicError) as refusal:
            await check_topics(settings)
        message = str(refusal.value)
        assert f"{changelog}: 2 partitions, expected 3" in message
        assert f"{settings.topic_prefix}{SCORES}: cleanup.policy delete, expected compact" in message
        assert f"{settings.topic_prefix}{DEAD_LETTERS}: max.message.bytes 1000, expected at least" in message
        assert ALERTS not in message

    asyncio.run(scenario())


@pytest.mark.usefixtures("environment")
def test_the_command_shows_creates_and_judges(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["topics"]) == 1
    before = capsys.readouterr()
    assert before.out.count("missing") == len(TOPICS) + 2
    assert "streamer topics --apply" in before.err

    assert cli.run(["topics", "--apply"]) == 0
    assert capsys.readouterr().out.count("created") == len(TOPICS) + 2

    assert cli.run(["topics"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [settings.topic_prefix + SCORES, "3", "compact", "ok"] in rows


@pytest.mark.usefixtures("environment")
def test_a_setting_without_effect_is_mentioned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["topics", "--apply"]) == 0
    monkeypatch.setenv("STREAMER_PARTITIONS", "9")
    assert cli.run(["topics"]) == 0
    assert "has 3 partitions and decides" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_a_retention_shorter_than_the_longest_outage_is_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"max_message_bytes": str(8 * MAX_EVENT_BYTES)}
    day = 24 * 3600 * 1000
    asyncio.run(create(settings, settings.topic_prefix + EVENTS, 3, retention_ms=str(2 * day), **limits))
    erasures = {"retention_bytes": "1000000", "retention_ms": "-1", **limits}
    asyncio.run(create(settings, settings.topic_prefix + ERASURES, 3, **erasures))
    assert cli.run(["topics", "--apply"]) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert [line.split()[:3] for line in warnings] == [
        ["warning:", "topic", settings.topic_prefix + EVENTS],
        ["warning:", "topic", settings.topic_prefix + ERASURES],
    ]
    assert (
        "keeps records for 2 days, and workers may be down for 3 (STREAMER_LONGEST_OUTAGE_DAYS)"
        in warnings[0]
    )
    assert "1,000,000 bytes a partition" in warnings[1]
    monkeypatch.setenv("STREAMER_LONGEST_OUTAGE_DAYS", "1.5")
    assert cli.run(["topics"]) == 0
    assert EVENTS not in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_outputs_stamped_by_workers_are_a_warning(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = settings.topic_prefix + SCORES
    limit = str(MAX_EVENT_BYTES)
    asyncio.run(create(settings, scores, 3, cleanup_policy="compact", max_message_bytes=limit))
    assert cli.run(["topics", "--apply"]) == 0
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: topic {scores} stamps records with the writing worker's clock")
    assert warning.endswith("Set message.timestamp.type=LogAppendTime on the topic.")


def test_more_replicas_than_brokers_are_refused_in_the_brokers_words(
    broker: Broker, topic_prefix: str
) -> None:
    settings = Settings(bootstrap=broker.bootstrap, topic_prefix=topic_prefix, replication_factor=99)
    with pytest.raises(TopicError, match=r"could not be created: .*replicat"):
        asyncio.run(create_missing_topics(settings))


def test_an_unreachable_broker_is_named() -> None:
    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127\.0\.0\.1:9"):
        asyncio.run(check_topics(Settings(bootstrap="127.0.0.1:9")))
