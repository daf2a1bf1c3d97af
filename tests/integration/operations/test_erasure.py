"""A user is forgotten on request: nothing is left in state, scores, changelog and on this machine's disk.

What the topics hold is read by another client. It publishes, too, by another partitioner than the worker's.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from schemas.erasure import ErasureRequest
from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, DEAD_LETTERS, ERASURES, EVENTS, SCORES
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire.encoding import encode_erasure, encode_event
from streamer.kafka.topics import changelog_topic
from tests.integration.conftest import Broker
from tests.integration.documents.test_docs import blocks
from tests.integration.shop import Sent, Shop, wait_for
from tests.integration.worker.test_worker_kills import shopping
from tests.table_files import files_with

FORCED = {
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.0001",
    "max.compaction.lag.ms": "1",
    "delete.retention.ms": "1",
}
"""With these Kafka compacts a topic whenever its cleaner looks, all but the segment that is written to."""


def shoppers(days: int = 150) -> list[Sent]:
    """Shopping of users whose ids are found again wherever they are left."""
    named: list[Sent] = []
    for user_id, value, timestamp_ms in shopping(users=40, days=days, seed=21):
        name = f"shopper-{sha256(user_id.encode()).hexdigest()[:24]}"
        named.append((name, value.replace(f'"{user_id}"'.encode(), f'"{name}"'.encode()), timestamp_ms))
    return named


def records(shop: Shop, topic: str) -> Iterator[Message]:
    """All committed records of a topic, as librdkafka reads them."""
    consumer = Consumer(
        {
            "bootstrap.servers": shop.environment["STREAMER_BOOTSTRAP"],
            "group.id": "checker",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
    ended: set[int] = set()
    try:
        while len(ended) < len(numbers):
            message = consumer.poll(20)
            assert message is not None, f"{topic} could not be read to its end"
            if message.error() is None:
                yield message
            else:
                ended.add(message.partition() or 0)
    finally:
        consumer.close()


def values(shop: Shop, topic: str, user_id: str) -> list[dict[str, Any] | None]:
    """A user's messages; ``None`` for a true null."""
    found = [record.value() for record in records(shop, topic) if record.key() == user_id.encode()]
    return [None if value is None else json.loads(value) for value in found]


def publish(
    shop: Shop,
    topic: str,
    user_id: str,
    value: bytes,
    timestamp_ms: int | None = None,
    partitioner: str = "consistent_random",
) -> None:
    """One record, where librdkafka's own partitioner puts it, or another one."""
    bootstrap = shop.environment["STREAMER_BOOTSTRAP"]
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": partitioner})
    stamped = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
    producer.produce(shop.topic(topic), value, user_id.encode(), **stamped)
    assert producer.flush(20) == 0


def request(user_id: str, requested_ms: int) -> bytes:
    return encode_erasure(
        ErasureRequest(
            user_id=user_id, requested_at=format_timestamp(requested_ms), request_id=f"ticket-{requested_ms}"
        )
    )


def totals(shop: Shop) -> dict[str, Any]:
    return json.loads(shop.run("status", "--json").stdout)["totals"]


def compact_at_once(shop: Shop, *topics: str) -> None:
    admin = AdminClient({"bootstrap.servers": shop.environment["STREAMER_BOOTSTRAP"]})
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in FORCED.items()
    ]
    resources = [ConfigResource("TOPIC", topic, incremental_configs=entries) for topic in topics]
    for future in admin.incremental_alter_configs(resources).values():
        future.result(20)


def on_disk(folder: Path, user_id: str) -> list[Path]:
    return [file for file, _ in files_with(folder, (user_id.encode(),))]


def with_an_open_alert(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    """Users whose newest alert is open, and that alert."""
    newest: dict[str, dict[str, Any]] = {}
    for record in records(shop, shop.topic(ALERTS)):
        alert = json.loads(record.value() or b"")
        newest[alert["subject"]] = alert["data"]
    return [(user_id, alert) for user_id, alert in sorted(newest.items()) if alert["status"] == "open"]


def test_after_forced_compaction_nothing_is_left_of_an_erased_user(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    scores, changelog = shop.topic(SCORES), changelog_topic(shop.settings.group_id)
    assert shop.run("topics", "--apply").returncode == 0
    events = shoppers()
    last_ms = events[-1][2]
    asyncio.run(shop.publish(events))
    with shop.worker() as process:
        asyncio.run(shop.wait_until_committed(len(events), process))
    # A worker that ends brings to disk what it had in memory.
    with shop.worker() as process:
        (by_topic, first), (by_command, second), (other, _), *_ = with_an_open_alert(shop)
        gone = (by_topic, by_command)
        assert all(on_disk(tmp_path / "state", user_id) for user_id in gone)

        publish(shop, ERASURES, by_topic, request(by_topic, last_ms + HOUR_MS))
        publish(shop, ERASURES, other, b'{"user_id": "%s"}' % other.encode())
        done = shop.run("erase", by_command, "--wait")
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.strip()) == 36

        for user_id, alert in ((by_topic, first), (by_command, second)):
            last = (values(shop, shop.topic(ALERTS), user_id)[-1] or {})["data"]
            assert (last["status"], last["reason"]) == ("resolved", "erased")
            assert (last["alert_id"], last["revision"]) == (alert["alert_id"], alert["revision"] + 1)
            assert values(shop, scores, user_id)[-1] is None
        told = totals(shop)
        assert (told["erasures"], told["dead_letters"]) == (2, {"missing-field": 1})
        letters = list(records(shop, shop.topic(DEAD_LETTERS)))
        assert [dict(letter.headers() or [])["source-topic"].decode() for letter in letters] == [
            shop.topic(ERASURES)
        ]

        # What comes too late does not bring anybody back.
        late = encode_event(Event("late", by_topic, "purchase", last_ms, value=3.0))
        publish(shop, EVENTS, by_topic, late, last_ms)
        asyncio.run(shop.wait_until_committed(len(events) + 1, process))
        assert totals(shop)["skipped"] == {"erased": 1}

        async def forgotten_on_disk() -> bool:
            return not any(on_disk(tmp_path / "state", user_id) for user_id in gone)

        asyncio.run(wait_for(forgotten_on_disk, "no file with an erased user's id", 60))
        assert on_disk(tmp_path / "state", other), "only those who asked are gone"

        # Not before: a worker does not start on a changelog that forgets deletions so soon.
        compact_at_once(shop, scores, changelog)
        later = iter(range(10_000))

        async def forgotten_by_kafka() -> bool:
            # Only a segment that is no longer written to is compacted: others go on shopping.
            number = next(later)
            more = [(o, v) for o, v in {user: user for user, _, _ in events}.items() if o not in gone]
            await shop.publish(
                [
                    (user, encode_event(Event(f"n{number}-{user}", user, "view", at_ms)), at_ms)
                    for user, _ in more
                    for at_ms in [last_ms + DAY_MS + number * 1000]
                ]
            )
            keys = {record.key() for topic in (scores, changelog) for record in records(shop, topic)}
            texts = [
                record.value() or b"" for topic in (scores, changelog) for record in records(shop, topic)
            ]
            return not any(
                user_id.encode() in keys or any(user_id.encode() in text for text in texts)
                for user_id in gone
            )

        asyncio.run(wait_for(forgotten_by_kafka, "a compacted topic without an erased user's id", 150))
        assert values(shop, scores, other), "only those who asked are gone"

        # Whoever comes back after that is a new user.
        back_ms = last_ms + 2 * DAY_MS
        publish(shop, EVENTS, by_topic, encode_event(Event("back", by_topic, "view", back_ms)), back_ms)

        async def is_back() -> bool:
            return bool(values(shop, scores, by_topic))

        asyncio.run(wait_for(is_back, "a score of the user who came back", 60))
        (score,) = values(shop, scores, by_topic)
        assert score is not None
        assert score["last_event_at"] == format_timestamp(back_ms)
    assert process.returncode == 0
    for user_id in gone:
        assert user_id not in shop.log()


def test_requests_go_before_events_when_everything_is_read_anew(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, max_batch="50")
    assert shop.run("topics", "--apply").returncode == 0
    events = shoppers()
    erased, last_ms = events[0][0], events[-1][2]
    asyncio.run(shop.publish(events))
    publish(shop, ERASURES, erased, request(erased, last_ms), partitioner="murmur2_random")
    theirs = [event for event in events if event[0] == erased]
    with shop.worker() as process:
        asyncio.run(shop.wait_until_committed(len(events), process))
    assert totals(shop)["skipped"] == {"erased": len(theirs)}
    assert values(shop, shop.topic(ALERTS), erased) == []
    assert set(map(str, values(shop, shop.topic(SCORES), erased))) <= {"None"}


def test_a_store_does_not_stay_where_its_partition_has_left(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    first = Shop(broker.bootstrap, topic_prefix, tmp_path, data_dir=str(tmp_path / "first"))
    second = Shop(broker.bootstrap, topic_prefix, tmp_path, data_dir=str(tmp_path / "second"))

    def stores(name: str) -> set[str]:
        return {path.name for path in (tmp_path / name).rglob("users-*.db")}

    assert first.run("topics", "--apply").returncode == 0
    events = shoppers(days=40)
    asyncio.run(first.publish(events))
    with first.worker("first") as process:
        asyncio.run(first.wait_until_committed(len(events), process))
        assert len(stores("first")) == 4
        with second.worker("second"):

            async def shared_out() -> bool:
                return len(stores("second")) == 2 and not stores("first") & stores("second")

            asyncio.run(wait_for(shared_out, "two stores on each side, and none on both", 60))
            assert len(stores("first")) == 2
            (documented,) = "".join(blocks("docs/privacy.md", "sh")).splitlines()
            done = first.run(*shlex.split(documented)[1:])
            assert done.returncode == 0, done.stderr
            assert totals(first)["erasures"] == 1
    with first.worker("first") as process:

        async def taken_over() -> bool:
            return len(stores("first")) == 4

        asyncio.run(wait_for(taken_over, "all stores with the worker that is left", 60))
