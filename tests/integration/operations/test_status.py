"""`streamer status` over Kafka alone: exact counts over a kill, shares, and what needs attention."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.event import Event
from schemas.topics import DECISIONS, EVENTS
from schemas.wire.encoding import encode_event
from streamer.kafka.topics import planned_topics
from streamer.worker.stage.repartition import partition_of
from tests.integration.conftest import Broker
from tests.integration.shop import Sent, Shop, wait_for
from tests.integration.worker.test_repartition import (
    EVENTS_SENT,
    PARTITIONS,
    publish_anywhere,
    purchases,
    stopped,
)
from tests.integration.worker.test_worker_kills import shopping


def status_of(shop: Shop) -> dict[str, Any]:
    return json.loads(shop.run("status", "--json").stdout)


async def wait_until_well(shop: Shop) -> dict[str, Any]:
    """The status once nothing needs attention and nothing is left to read."""
    found: dict[str, Any] = {}

    async def well() -> bool:
        nonlocal found
        found = status_of(shop)
        left = sum(view["lag"] + (view["forwarded_lag"] or 0) for view in found["partitions"])
        return not found["attention"] and not left

    await wait_for(well, "a deployment that is well", 120)
    return found


def test_counts_are_exact_after_kills(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, max_batch="150")
    assert shop.run("topics", "--apply").returncode == 0
    events = shopping(users=150, days=200, seed=5)
    last_ms = events[-1][2]
    unknown = encode_event(Event("x1", "u2", "purchase", last_ms)).replace(b"purchase", b"page_ping")
    odd: list[Sent] = [("u1", b"not json", last_ms), ("u2", unknown, last_ms)]
    asyncio.run(shop.publish([*events, *odd]))
    total = len(events) + len(odd)
    process = shop.start_worker()
    try:
        for share in (0.2, 0.5):
            asyncio.run(shop.wait_until_committed(int(total * share), process))
            stopped(process)
            process = shop.start_worker()
        page = shop.run("status", "--wait")
        found = status_of(shop)
    finally:
        stopped(process)

    totals = found["totals"]
    assert (totals["records"], totals["events"]) == (total, len(events))
    assert (totals["skipped"], totals["dead_letters"]) == ({"unknown-type": 1}, {"not-json": 1})
    assert totals["spellings"] == {"page_ping": 1}
    decisions = [json.loads(record.value or b"") for record in asyncio.run(shop.read(shop.topic(DECISIONS)))]
    assert sum(totals["decisions"].values()) == len(decisions)
    assert sum(totals["alerts"].values()) == sum(decision["action"] == "sent" for decision in decisions) > 0
    assert sum(view["committed"] for view in found["partitions"]) == total
    assert page.returncode == 0, page.stdout
    assert "all is well" in page.stdout
    assert f"{total:,} read" in page.stdout


def test_a_quiet_worker_speaks_and_writes_nothing(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    asyncio.run(shop.publish(shopping(users=3, days=60, seed=3)))
    topics = [plan.name for plan in planned_topics(shop.settings, PARTITIONS)]

    def ends() -> list[dict[TopicPartition, int]]:
        return [asyncio.run(shop.ends(topic)) for topic in topics]

    def said() -> list[int]:
        return [view["status"]["said_ms"] for view in status_of(shop)["partitions"]]

    with shop.worker():
        found = asyncio.run(wait_until_well(shop))
        assert 0 in [view["end"] for view in found["partitions"]], "also a partition without any record"
        before, words = ends(), said()

        async def again() -> bool:
            return all(later > word for later, word in zip(said(), words, strict=True))

        asyncio.run(wait_for(again, "another word of every partition", 60))
        assert ends() == before


def test_the_share_of_forwarded_records(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(
        broker.bootstrap, topic_prefix, tmp_path, mode="live", repartition="true", event_format="segment"
    )
    assert shop.run("topics", "--apply").returncode == 0
    whose = asyncio.run(publish_anywhere(shop, purchases(time.time_ns() // 1_000_000)))
    displaced = sum(partition_of(user, PARTITIONS) != place[0] for place, user in whose.items())
    with shop.worker():
        found = asyncio.run(wait_until_well(shop))
        page = shop.run("status")
    assert (found["totals"]["records"], found["totals"]["events"]) == (EVENTS_SENT, EVENTS_SENT)
    assert found["totals"]["forwarded"] == displaced
    assert found["forwarded_share"] == displaced / EVENTS_SENT
    assert f"({displaced / EVENTS_SENT:.1%}) through churn.repartition.v1" in page.stdout
    assert page.returncode == 0, page.stdout
    assert "source" in page.stdout


def test_without_topics_and_without_a_worker_it_says_what_to_do(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    before = shop.run("status")
    assert before.returncode == 1
    assert "streamer topics --apply" in before.stdout
    assert "streamer worker" in before.stdout
    assert shop.run("topics", "--apply").returncode == 0
    asyncio.run(shop.publish(shopping(users=5, days=20, seed=1)))
    after = shop.run("status")
    assert after.returncode == 1
    assert "streamer topics" not in after.stdout
    assert "no worker" in after.stdout
    assert not after.stderr


def test_two_workers_with_different_policies_are_named(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    asyncio.run(shop.publish(shopping(users=20, days=20, seed=1)))
    policy = tmp_path / "policy.toml"
    policy.write_text("cooldown_days = 3\n")
    other = Shop(
        broker.bootstrap, topic_prefix, tmp_path, policy=str(policy), data_dir=str(tmp_path / "other")
    )
    with shop.worker("one"), other.worker("two"):

        async def both_named() -> bool:
            found = status_of(shop)["attention"]
            return any("different policies" in f and "one" in f and "two" in f for f in found)

        asyncio.run(wait_for(both_named, "both workers and their policies", 90))
        assert shop.run("status").returncode == 1


def test_what_another_program_committed_stops_nobody(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    events = shopping(users=20, days=60, seed=2)
    asyncio.run(shop.publish(events))
    asyncio.run(commit_by_hand(shop, "somebody else's note"))
    with shop.worker() as process:
        found = asyncio.run(wait_until_well(shop))
        assert process.poll() is None
    assert found["totals"]["records"] == len(events)
    assert "counts start from nothing" in shop.log()


async def commit_by_hand(shop: Shop, metadata: str) -> None:
    """Commit offset 0 of partition 0 with a note, as no worker would."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"],
        group_id=shop.settings.group_id,
        enable_auto_commit=False,
    )
    async with consumer:
        partition = TopicPartition(shop.topic(EVENTS), 0)
        consumer.assign([partition])
        await consumer.commit({partition: (0, metadata)})


def test_an_unreachable_broker_is_named(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    shop.environment["STREAMER_BOOTSTRAP"] = "127.0.0.1:1"
    ended = shop.run("status")
    assert ended.returncode == 1
    assert "127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr
