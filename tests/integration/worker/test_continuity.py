"""Topics that are not those which the states were made of: refused at start, with the way out in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete

from schemas.topics import EVENTS
from streamer.kafka.committed import describe_group
from streamer.kafka.topics import changelog_topic, planned_topics
from tests.integration.conftest import Broker
from tests.integration.shop import Shop, wait_for
from tests.integration.worker.test_worker_kills import shopping

EVENTS_SENT = shopping(users=20, days=60, seed=4)
PARTITIONS = 4


@pytest.fixture
def shop(broker: Broker, topic_prefix: str, tmp_path: Path) -> Shop:
    """A deployment whose worker has read everything and has ended."""
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    asyncio.run(shop.publish(EVENTS_SENT))
    with shop.worker() as process:
        asyncio.run(shop.wait_until_committed(len(EVENTS_SENT), process))
    return shop


def admin_of(shop: Shop) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"])


async def grow(shop: Shop, *topics: str) -> None:
    """Add two partitions, and wait until everybody sees them."""
    admin = admin_of(shop)
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(PARTITIONS + 2) for topic in topics})
    await admin.close()

    async def grown() -> bool:
        counts = [len(await shop.partitions(topic)) for topic in topics]
        return counts == [PARTITIONS + 2] * len(topics)

    await wait_for(grown, "the new partitions")


async def create_anew(shop: Shop, topic: str) -> None:
    admin = admin_of(shop)
    await admin.start()
    await admin.delete_topics([topic])

    async def gone() -> bool:
        return topic not in await admin.list_topics()

    await wait_for(gone, f"{topic} to be gone")
    await admin.close()
    assert shop.run("topics", "--apply").returncode == 0


async def commit(shop: Shop, offsets: Mapping[TopicPartition, int]) -> None:
    """As `kafka-consumer-groups.sh --reset-offsets` does."""
    group = shop.settings.group_id
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"], group_id=group, enable_auto_commit=False
    )
    admin = admin_of(shop)
    await admin.start()

    async def left() -> bool:
        return not (await describe_group(admin, group)).members

    await wait_for(left, "the worker's session to end")
    await admin.close()
    async with consumer:
        consumer.assign(list(offsets))
        await consumer.commit({tp: (offset, "") for tp, offset in offsets.items()})


def every_topic(shop: Shop) -> list[str]:
    plans = planned_topics(shop.settings, PARTITIONS)
    return [plan.name for plan in plans if plan.partitions == PARTITIONS]


def refusal(shop: Shop) -> str:
    ended = shop.run("worker")
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


def refusal_after_recovery(shop: Shop) -> str:
    """What can be known only when the changelog was read."""
    before = len(shop.log())
    process = shop.start_worker()
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
    return shop.log()[before:]


def test_more_partitions_of_the_events_alone_and_the_way_out(shop: Shop, tmp_path: Path) -> None:
    asyncio.run(grow(shop, shop.topic(EVENTS)))
    said = refusal(shop)
    assert "4 partitions, expected 6" in said
    for step in ("streamer export", "streamer topics --apply", "streamer replay", "STREAMER_TOPIC_PREFIX"):
        assert step in said

    events = tmp_path / "events.parquet"
    assert shop.run("export", EVENTS, "--out", str(events)).returncode == 0
    (tmp_path / "moved").mkdir()
    moved = Shop(
        shop.environment["STREAMER_BOOTSTRAP"], shop.prefix + "2.", tmp_path / "moved", partitions="6"
    )
    assert moved.run("topics", "--apply").returncode == 0
    assert moved.run("replay", str(events)).returncode == 0
    with moved.worker() as process:
        asyncio.run(moved.wait_until_committed(len(EVENTS_SENT), process))


def test_more_partitions_of_all_topics(shop: Shop) -> None:
    asyncio.run(grow(shop, *every_topic(shop)))
    said = refusal(shop)
    assert "has 6 partitions" in said
    assert "it had 4" in said
    assert "streamer export" in said


def test_an_events_topic_created_anew(shop: Shop) -> None:
    asyncio.run(create_anew(shop, shop.topic(EVENTS)))
    said = refusal_after_recovery(shop)
    assert "the events topic was deleted and created anew" in said
    assert "another STREAMER_APPLICATION_ID" in said


def test_a_changelog_created_anew(shop: Shop) -> None:
    asyncio.run(create_anew(shop, changelog_topic(shop.settings.group_id)))
    said = refusal(shop)
    assert "the changelog was deleted and created anew" in said
    assert "another STREAMER_APPLICATION_ID" in said


def test_a_committed_offset_beyond_the_end_and_the_way_out(shop: Shop) -> None:
    partitions = asyncio.run(shop.partitions(shop.topic(EVENTS)))
    ends = asyncio.run(shop.ends(shop.topic(EVENTS)))
    asyncio.run(commit(shop, {partitions[1]: ends[partitions[1]] + 7}))
    said = refusal(shop)
    assert f"read up to offset {ends[partitions[1]] + 7}, ends at {ends[partitions[1]]}" in said
    assert "--reset-offsets --to-latest" in said

    asyncio.run(commit(shop, {partitions[1]: ends[partitions[1]]}))
    asyncio.run(shop.publish(EVENTS_SENT[:1]))
    with shop.worker() as process:
        asyncio.run(shop.wait_until_committed(len(EVENTS_SENT) + 1, process))


def test_local_stores_of_another_changelog_are_recovered_anew(shop: Shop) -> None:
    def states() -> dict[bytes, bytes | None]:
        records = asyncio.run(shop.read(changelog_topic(shop.settings.group_id)))
        return {record.key: record.value for record in records if record.key and record.key < b"\xff"}

    first = states()
    asyncio.run(create_anew(shop, changelog_topic(shop.settings.group_id)))
    # Offsets that were reset say nothing of the topics; only the local stores still know.
    asyncio.run(commit(shop, dict.fromkeys(asyncio.run(shop.partitions(shop.topic(EVENTS))), 0)))
    assert "copy of another changelog" not in shop.log()
    with shop.worker() as process:
        asyncio.run(shop.wait_until_committed(len(EVENTS_SENT), process))
    assert "copy of another changelog" in shop.log()
    assert states() == first, "no event was taken for one that a state has seen already"


def test_records_that_were_deleted_before_they_were_read_are_counted(shop: Shop) -> None:
    asyncio.run(shop.publish(EVENTS_SENT))
    asyncio.run(delete_records(shop))
    with shop.worker():

        async def told() -> bool:
            return "records were deleted before they were read" in shop.log()

        asyncio.run(wait_for(told, "the worker to tell what is gone", 60))


async def delete_records(shop: Shop) -> None:
    """Everything there is, as the end of its retention does."""
    ends = await shop.ends(shop.topic(EVENTS))
    admin = admin_of(shop)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(end) for tp, end in ends.items()})
    await admin.close()
