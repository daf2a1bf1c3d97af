"""Records in other partitions than their users': each is forwarded and applied once, whatever happens."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.event import Event
from schemas.score import Score
from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, EVENTS, REPARTITION, SCORES
from schemas.units import DAY_MS
from streamer.core.history.aggregates_row import AggregatesRow
from streamer.core.user_state import decode_state
from streamer.kafka.topics import changelog_topic
from streamer.worker.stage.partition.partition_record import CLOCK_KEY
from streamer.worker.stage.repartition import ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TIMESTAMP, partition_of
from tests.integration.conftest import Broker
from tests.integration.shop import Shop, wait_for
from tests.integration.worker.transactions_harness import Scenario

PARTITIONS = 4
LOAD_PER_S = 1000
USERS = 120
EVENTS_SENT = 4_000


def test_killed_and_rebalanced_mid_load_two_topics_a_partition_apply_each_record_once(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with Scenario(broker.bootstrap, topic_prefix, tmp_path, seed=7, scattered=True) as scenario:

            async def progressed() -> None:
                await scenario.wait_for_outputs(len(await scenario.outputs()) + LOAD_PER_S)

            async with scenario.load(LOAD_PER_S):
                first = scenario.worker("first")
                await progressed()
                first.kill()
                first = scenario.worker("first")
                await progressed()
                second = scenario.worker("second")
                await progressed()
                first.kill()
                await progressed()
                second.signal(signal.SIGTERM)
                assert second.wait() == 0
                scenario.worker("first")
                await progressed()
            await scenario.assert_each_once()

    asyncio.run(body())


def purchases(now_ms: int) -> list[Event]:
    """Purchases of the last 80 days by time; every second user has been silent since three weeks."""
    rng = random.Random(3)
    made = []
    for _ in range(EVENTS_SENT):
        user = rng.randrange(USERS)
        made.append((now_ms - rng.randrange(21 * DAY_MS if user % 2 else 1, 80 * DAY_MS), f"u{user}"))
    return [
        Event(f"e{number}", user_id, "purchase", moment, value=2.5)
        for number, (moment, user_id) in enumerate(sorted(made))
    ]


async def publish_anywhere(shop: Shop, events: Sequence[Event]) -> dict[tuple[int, int], str]:
    """Send Segment calls to partitions at random; returns whose record lies where."""
    rng = random.Random(4)
    producer = AIOKafkaProducer(
        bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"], enable_idempotence=True
    )
    sent = []
    async with producer:
        for event in events:
            call = {
                "type": "track",
                "event": "Order Completed",
                "messageId": event.event_id,
                "userId": event.user_id,
                "timestamp": format_timestamp(event.timestamp),
                "properties": {"revenue": event.value, "currency": "EUR"},
            }
            sent.append(
                await producer.send(
                    shop.topic(EVENTS),
                    json.dumps(call).encode(),
                    partition=rng.randrange(PARTITIONS),
                    timestamp_ms=event.timestamp,
                    headers=[("trace", event.event_id.encode())],
                )
            )
        places = [await future for future in sent]
    return {
        (place.partition, place.offset): event.user_id for place, event in zip(places, events, strict=True)
    }


async def counts(shop: Shop) -> Counter[str]:
    """How many events each user's state holds, by the changelog."""
    newest = {
        record.key.decode(): record.value
        for record in await shop.read(changelog_topic(shop.settings.group_id))
        if record.key not in (None, CLOCK_KEY) and record.value is not None
    }
    return Counter(
        {
            user_id: int(AggregatesRow.unpacked(decode_state(value).running).events)
            for user_id, value in newest.items()
        }
    )


def stopped(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)


def test_a_worker_killed_in_live_mode_forwards_and_applies_every_record_once(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(
        broker.bootstrap,
        topic_prefix,
        tmp_path,
        mode="live",
        repartition="true",
        event_format="segment",
        currency="EUR",
        max_batch="100",
    )
    assert shop.run("topics", "--apply").returncode == 0
    events = purchases(time.time_ns() // 1_000_000)
    whose = asyncio.run(publish_anywhere(shop, events))
    expected = Counter(event.user_id for event in events)
    process = shop.start_worker()
    try:
        for share in (0.2, 0.5):
            asyncio.run(shop.wait_until_committed(int(EVENTS_SENT * share), process))
            stopped(process)
            process = shop.start_worker()

        async def all_applied() -> bool:
            assert process.poll() is None, shop.log()[-3000:]
            return (await counts(shop)).total() >= EVENTS_SENT

        asyncio.run(wait_for(all_applied, "every event in its user's state", 90))

        async def raised() -> bool:
            # Nothing is raised before each partition has heard from all others that it has caught up.
            return bool(await shop.read(shop.topic(ALERTS)))

        asyncio.run(wait_for(raised, "an alert of a user gone silent", 90))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        stopped(process)

    assert asyncio.run(counts(shop)) == expected
    forwarded = [r for r in asyncio.run(shop.read(shop.topic(REPARTITION.name))) if r.value is not None]
    displaced = {place for place, user in whose.items() if partition_of(user, PARTITIONS) != place[0]}
    origins = []
    for record in forwarded:
        headers = dict(record.headers)
        origins.append((int(headers[ORIGIN_PARTITION]), int(headers[ORIGIN_OFFSET])))
        call = json.loads(record.value or b"")
        assert record.key == call["userId"].encode()
        assert record.partition == partition_of(call["userId"], PARTITIONS)
        assert headers["trace"] == call["messageId"].encode()
        assert format_timestamp(int(headers[ORIGIN_TIMESTAMP])) == call["timestamp"]
    assert sorted(origins) == sorted(displaced)
    for record in asyncio.run(shop.read(shop.topic(SCORES))):
        score = msgspec.json.decode(record.value or b"", type=Score)
        assert whose[score.evidence.partition, score.evidence.offset] == score.user_id
    told = json.loads(shop.run("status", "--json").stdout)["totals"]
    assert (told["records"], told["events"], told["forwarded"]) == (EVENTS_SENT, EVENTS_SENT, len(displaced))
