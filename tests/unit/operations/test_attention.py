"""What a deployment's statuses, offsets and members say together; what needs attention."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import EVENTS
from schemas.units import DAY_MS
from streamer.kafka.committed import Committed, Group, Member, committed_offsets
from streamer.kafka.log_ends import LogEnd
from streamer.kafka.topics import TopicState, planned_topics
from streamer.operations.deployment import Deployment, deployment_of
from streamer.operations.status.attention import SILENT_MS, attention
from streamer.operations.status.wording import ALL_WELL, in_words
from streamer.settings.settings import Settings
from streamer.worker.stage.partition.counters import Counters
from streamer.worker.stage.partition.partition_status import (
    PartitionStatus,
    SourceStatus,
    WorkerIdentity,
    encode_status,
)
from streamer.worker.stage.partition.recent_reads import RecentReads, Span
from streamer.worker.stage.partition.user_places import UserPlaces
from tests.unit.worker.stage.test_partition_status import NOW, said
from tests.unit.worker.stage.test_scoring_stage import WORKER

SETTINGS = Settings()


def reads(records: int, **changes: Any) -> RecentReads:
    """What was read of late: so many records, of them ``refused`` and ``skipped``."""
    span = Span(NOW, records, changes.pop("refused", 0), changes.pop("skipped", 0))
    changes = {"until_ms": NOW, "cause": "not-json", "reason": "unknown-type", **changes}
    return RecentReads(newer=span, older=Span(NOW), **changes)


def event_time() -> PartitionStatus:
    return said(worker=msgspec.structs.replace(WORKER, mode="event-time"))


EVENT_PARTITIONS = 2


def seen(
    *statuses: PartitionStatus | None,
    members: tuple[Member, ...] | None = None,
    state: str = "Stable",
    committed: int = 10,
    left: int = 2,
    settings: Settings = SETTINGS,
) -> Deployment:
    """A deployment of two partitions, owned by ``w1`` unless ``members`` say otherwise."""
    tps = [TopicPartition(EVENTS, number) for number in range(EVENT_PARTITIONS)]
    if members is None:
        members = (Member("w1", "10.0.0.1", tuple(tps)),)
    plans = planned_topics(settings, EVENT_PARTITIONS)
    topics = [TopicState(plan, plan.partitions, plan.configuration) for plan in plans]
    offsets = {
        tp: Committed(committed, "" if status is None else encode_status(status))
        for tp, status in zip(tps, statuses or (said(), said()), strict=True)
    }
    ends = {tp: LogEnd(12, left, NOW - 5_000) for tp in tps}
    return deployment_of(settings, NOW, topics, Group(state, members), offsets, ends)


def test_all_is_well() -> None:
    deployment = seen()
    assert attention(deployment) == []
    page = in_words(deployment, [])
    assert page.endswith(ALL_WELL)
    assert "fixed 1 (000000000000) on CPUExecutionProvider" in page


def other_worker(**changes: Any) -> PartitionStatus:
    return said(worker=msgspec.structs.replace(WORKER, name="w2", **changes))


def shared(second: str | None = "w2") -> tuple[Member, ...]:
    return (
        Member("w1", "10.0.0.1", (TopicPartition(EVENTS, 0),)),
        Member(second, "10.0.0.2", (TopicPartition(EVENTS, 1),)),
    )


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        (seen(members=(), state="Empty"), ("no worker", "streamer worker", "4 records wait")),
        (seen(state="PreparingRebalance"), ("sharing out", "PreparingRebalance")),
        (seen(members=shared()[:1]), ("partition 1: no worker", "restart")),
        (seen(said(), None), ("partition 1: w1 has said nothing yet", "log")),
        (seen(said(), said(said_ms=NOW - SILENT_MS - 60_000)), ("w1 has said nothing for 2 min", "restart")),
        (seen(said(held=True), said()), ("partition 0: behind by 2 records", "raises wait")),
        (
            seen(said(), said(source=SourceStatus(NOW - 7_200_000, 1_800_000, down=True))),
            ("no record has come for 2 h", "30 min", "decisions wait", EVENTS),
        ),
        (seen(committed=13), ("offset 13", "ends at 12", "reset-offsets")),
        (
            seen(said(), other_worker(model_sha256="f" * 12), members=shared()),
            ("different models", "fixed 1 (ffffffffffff): w2", "fixed 1 (000000000000): w1"),
        ),
        (seen(said(), other_worker(policy_sha256="f" * 12), members=shared()), ("different policies", "w1")),
        (seen(said(), other_worker(mode="event-time"), members=shared(None)), ("different modes", "w2")),
        (
            seen(said(), said(recent=reads(200, refused=200, cause="null-value"))),
            ("of the 200 records read last 200 became", "null-value", "streamer dlq list"),
        ),
        (
            seen(said(recent=reads(100, skipped=100)), said(recent=reads(100, skipped=99))),
            ("of the 200 records read last 199 were skipped", "unknown-type", "STREAMER_EVENT_FORMAT"),
        ),
        (
            seen(said(recent=reads(100, skipped=50, refused=50)), said()),
            ("of the 100 records read last 50 were skipped", "next to nothing"),
        ),
        (
            seen(event_time(), event_time(), left=118_000),
            ("partitions 0, 1: behind by 236,000 records", "streamer status --wait"),
        ),
        (
            seen(said(places=UserPlaces(11, 13)), said(places=UserPlaces(crc32=13))),
            (
                "13 of 37 users' states lie in another",
                "murmur2_random",
                "STREAMER_REPARTITION",
                "platforms.md",
            ),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_needs_attention_is_said_in_words(deployment: Deployment, words: tuple[str, ...]) -> None:
    findings = attention(deployment)
    assert any(all(word in finding for word in words) for finding in findings), findings
    assert "needs attention" in in_words(deployment, findings)


@pytest.mark.parametrize(
    "deployment",
    [
        seen(said(recent=reads(1_000, refused=50, skipped=900)), said()),
        seen(said(recent=reads(200, refused=200, until_ms=NOW - 2 * DAY_MS)), said()),
        seen(said(recent=reads(200, refused=200)), said(recent=reads(100_000))),
        seen(event_time(), event_time(), left=4_000),
        seen(said(), said(), left=118_000),
        seen(said(places=UserPlaces(both=9, crc32=90)), said(places=UserPlaces(both=11, crc32=90))),
        seen(said(places=UserPlaces(both=9, murmur2=90)), said()),
    ],
    ids=["some", "long ago", "few of many", "on their way", "live", "all by crc32", "all by murmur2"],
)
def test_what_is_ordinary_needs_none(deployment: Deployment) -> None:
    assert attention(deployment) == []


def test_the_page_names_unknown_types_as_they_are_spelt() -> None:
    counters = Counters(skipped={"unknown-type": 12}, spellings={"Purchase": 7, "order completed": 5})
    page = in_words(seen(said(counters), said()), [])
    assert re.search(r'^unknown types +12 \("Purchase" 7, "order completed" 5\)$', page, re.MULTILINE)


def test_a_decision_that_cannot_be_read_is_said() -> None:
    (finding,) = attention(msgspec.structs.replace(seen(), rollout_unreadable="it is no decision; do this"))
    assert finding.startswith("it is no decision; do this. ")


def test_a_former_owners_word_is_not_the_new_owners() -> None:
    deployment = seen(said(), other_worker(policy_sha256="f" * 12), members=seen_members("w1"))
    assert attention(deployment) == []
    assert "w2" in in_words(deployment, [])


def seen_members(name: str) -> tuple[Member, ...]:
    return (Member(name, "10.0.0.1", tuple(TopicPartition(EVENTS, number) for number in range(2))),)


def test_a_coordinator_that_is_still_reading_is_asked_again() -> None:
    answers = [
        SimpleNamespace(error_code=14, topics=[]),
        SimpleNamespace(error_code=0, topics=[("t", [(0, 5, "note", 0), (1, -1, "", 0)])]),
    ]

    class Admin:
        async def find_coordinator(self, group: str) -> int:  # noqa: ARG002 - the client's
            return 1

        async def _send_request(self, request: object, node: int) -> object:  # noqa: ARG002 - the client's
            return answers.pop(0)

    found = asyncio.run(committed_offsets(cast(AIOKafkaAdminClient, Admin()), "g"))
    assert found == {TopicPartition("t", 0): Committed(5, "note")}


def test_a_worker_without_an_instance_id_is_known_by_host_and_process() -> None:
    assert isinstance(WORKER, WorkerIdentity)
    dynamic = msgspec.structs.replace(WORKER, name="shop-7:4711")
    deployment = seen(
        said(worker=dynamic),
        said(worker=dynamic),
        members=(Member(None, "10.0.0.1", seen_members("")[0].partitions),),
    )
    assert [view.owner for view in deployment.partitions] == ["shop-7:4711"] * 2
    assert attention(deployment) == []
