"""The worker killed in the middle of its work leaves the same alerts and scores as one left alone."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

from schemas.event import Event
from schemas.topics import ALERTS, DECISIONS, EVENTS, SCORES
from schemas.units import DAY_MS
from schemas.wire.encoding import encode_event
from streamer.kafka.topics import changelog_topic
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, decode_record
from tests.contract.test_json_schema import VALIDATORS
from tests.integration.conftest import Broker
from tests.integration.shop import Sent, Shop

START = 1_483_228_800_000
TYPES = ("purchase", "purchase", "view", "add_to_cart", "remove_from_cart")


def shopping(users: int, days: int, seed: int) -> list[Sent]:
    """Users with paces of their own, a third of whom stop for good; some events late, some sent twice."""
    rng = random.Random(seed)
    events: list[Event] = []
    for user in range(users):
        pace, stops = rng.uniform(1, 12), days * (rng.uniform(0.2, 1) if user % 3 == 0 else 1)
        day = rng.uniform(0, pace)
        while day < stops:
            number = len(events)
            kind = rng.choice(TYPES)
            moment = START + int(day * DAY_MS)
            events.append(Event(f"e{number}", f"u{user}", kind, moment, value=round(rng.uniform(1, 90), 2)))
            day += rng.expovariate(1 / pace)
    events.sort(key=lambda event: event.timestamp)
    for _ in range(len(events) // 50):
        at = rng.randrange(len(events) - 40)
        events.insert(at + rng.randrange(40), events[at] if rng.random() < 0.5 else events.pop(at))
    return [(event.user_id, encode_event(event), event.timestamp) for event in events]


async def run_through(shop: Shop, events: list[Sent], kills: int) -> None:
    assert shop.run("topics", "--apply").returncode == 0
    await shop.publish(events)
    total = sum((await shop.ends(shop.topic(EVENTS))).values())
    process = shop.start_worker()
    try:
        for kill in range(kills):
            await shop.wait_until_committed(total * (kill + 1) // (kills + 2), process)
            process.kill()
            process.wait(30)
            assert await shop.committed() < total, "the worker was done before it was killed"
            process = shop.start_worker()
        await shop.wait_until_committed(total, process)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)


async def contents(shop: Shop, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values as sent, with the deployment's own topic prefix taken out."""
    prefix = shop.prefix.encode()
    return [(r.key, r.value.replace(prefix, b"") if r.value else r.value) for r in await shop.read(topic)]


def test_three_kills_change_nothing(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    events = shopping(users=500, days=200, seed=11)
    shops = []
    for name, kills in (("alone", 0), ("killed", 3)):
        directory = tmp_path / name
        directory.mkdir()
        shop = Shop(broker.bootstrap, f"{topic_prefix}{name}.", directory, max_batch="150")
        asyncio.run(run_through(shop, events, kills))
        shops.append(shop)
    alone, killed = shops

    for topic in (ALERTS, DECISIONS):
        expected = asyncio.run(contents(alone, alone.topic(topic)))
        assert asyncio.run(contents(killed, killed.topic(topic))) == expected
        assert len(expected) > 100
    for topic, schema in ((ALERTS, "alert"), (DECISIONS, "decision"), (SCORES, "score")):
        for _, value in asyncio.run(contents(killed, killed.topic(topic))):
            VALIDATORS[schema].validate(json.loads(value or b""))
    ids = [json.loads(value or b"")["id"] for _, value in asyncio.run(contents(killed, killed.topic(ALERTS)))]
    assert len(ids) == len(set(ids))
    for topics in ((alone.topic(SCORES), killed.topic(SCORES)), tuple(map(changelog_of, shops))):
        newest = [dict(asyncio.run(contents(shop, topic))) for shop, topic in zip(shops, topics, strict=True)]
        # The ids of the deployment's own topics stand there, once for each partition.
        records = [found.pop(CLOCK_KEY, None) for found in newest]
        assert [record and decode_record(record).clock_ms for record in records[:1]] == [
            record and decode_record(record).clock_ms for record in records[1:]
        ]
        assert newest[0] == newest[1]
        assert len(newest[0]) >= 500


def changelog_of(shop: Shop) -> str:
    return changelog_topic(shop.settings.group_id)
