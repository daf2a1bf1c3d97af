"""Topics on brokers of other versions and configurations than the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import InvalidConfigurationError

from schemas.errors import TopicError
from schemas.topics import EVENTS
from streamer.kafka.retention import ahead_warning
from streamer.kafka.topics import AHEAD_SETTING, TopicPlan, create_topics, planned_topics
from streamer.settings.settings import Settings

PLANS = planned_topics(Settings(), 2)


class Admin:
    """A broker that refuses topics with one of ``unknown`` settings."""

    def __init__(self, *unknown: str) -> None:
        self.topics: dict[str, dict[str, str]] = {}
        self._unknown = set(unknown)

    async def create_topics(self, topics: Sequence[NewTopic]) -> Any:
        errors: list[tuple[Any, ...]] = []
        for topic in topics:
            if self._unknown & topic.topic_configs.keys():
                errors.append((topic.name, InvalidConfigurationError.errno, "Unknown topic config name"))
            else:
                self.topics[topic.name] = topic.topic_configs
                errors.append((topic.name, 0, None))
        return SimpleNamespace(topic_errors=errors)


def created_on(admin: Admin) -> dict[str, dict[str, str]]:
    asyncio.run(create_topics(cast(Any, admin), PLANS, 1))
    return admin.topics


def test_the_events_topic_refuses_clocks_that_are_far_ahead() -> None:
    topics = created_on(Admin())
    assert [name for name, configuration in topics.items() if AHEAD_SETTING in configuration] == [EVENTS]


def test_a_broker_that_does_not_know_that_bound_gets_the_topic_without() -> None:
    topics = created_on(Admin(AHEAD_SETTING))
    assert set(topics) == {plan.name for plan in PLANS}
    assert not any(AHEAD_SETTING in configuration for configuration in topics.values())


def test_what_a_broker_refuses_for_another_reason_is_said() -> None:
    with pytest.raises(TopicError, match="Unknown topic config name"):
        created_on(Admin("cleanup.policy"))


@pytest.mark.parametrize(
    ("configuration", "warned"),
    [({}, False), ({AHEAD_SETTING: "3600000"}, False), ({AHEAD_SETTING: str(2**63 - 1)}, True)],
)
def test_a_topic_that_takes_any_clock_is_a_warning(configuration: dict[str, str], warned: bool) -> None:
    plan: TopicPlan = PLANS[0]
    warning = ahead_warning(plan.name, plan.configuration, configuration)
    assert (warning is not None) == warned
    if warning is not None:
        assert f"Set {AHEAD_SETTING}=3600000 on the topic" in warning
