"""Files of events through a real broker: partitions, times, order, pace and interruption."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from operator import attrgetter
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import murmur2
from confluent_kafka import Producer

from schemas.event import Event, Item
from schemas.topics import EVENTS, with_prefix
from schemas.wire.decoding import decode_event
from streamer.data.files import write_events
from streamer.kafka.connection import connection_of
from streamer.kafka.publishing import ReplayProgress, event_records, replay
from tests.integration.conftest import Broker
from tests.integration.shop import STREAMER, Shop, wait_for

START_MS = 1_488_477_851_000


def history(count: int, users: int = 50) -> list[Event]:
    return [
        Event(
            f"e{number}",
            f"user-{number * 7 % users}",
            "purchase",
            START_MS + number * 60_000,
            (Item(f"i{number % 11}", "dairy", None, 1.5, 2.0),),
            3.0,
        )
        for number in range(count)
    ]


@pytest.fixture
def shop(broker: Broker, topic_prefix: str, tmp_path: Path) -> Shop:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    created = shop.run("topics", "--apply")
    assert created.returncode == 0, created.stderr
    return shop


def published(shop: Shop) -> list[Any]:
    return asyncio.run(shop.read(shop.topic(EVENTS)))


def test_each_event_lies_in_its_users_partition_at_its_own_time(shop: Shop, tmp_path: Path) -> None:
    events = history(2_000)
    write_events(tmp_path / "first.parquet", events[::2])
    write_events(tmp_path / "second.ndjson.gz", events[1::2])
    report = tmp_path / "report.json"
    done = shop.run(
        "replay",
        str(tmp_path / "first.parquet"),
        str(tmp_path / "second.ndjson.gz"),
        "--report",
        str(report),
    )
    assert done.returncode == 0, done.stderr
    records = published(shop)
    found = [
        event
        for record in records
        if isinstance(event := decode_event(record.value, None, record.timestamp), Event)
    ]
    assert sorted(found, key=attrgetter("timestamp")) == events
    for record, event in zip(records, found, strict=True):
        assert record.key == event.user_id.encode()
        assert record.timestamp == event.timestamp
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % 4
    for partition in range(4):
        times = [record.timestamp for record in records if record.partition == partition]
        assert times == sorted(times)
    figures = json.loads(report.read_bytes())
    assert figures["events"] == 2_000
    assert figures["first_event_at"] == "2017-03-02T18:04:11Z"
    assert figures["topic"] == shop.topic(EVENTS)
    assert figures["warnings"] == []


def test_beside_the_events_of_another_partitioner_nothing_is_published(shop: Shop, tmp_path: Path) -> None:
    producer = Producer({"bootstrap.servers": shop.environment["STREAMER_BOOTSTRAP"]})
    for user_id, value, timestamp_ms in event_records(history(50)):
        producer.produce(shop.topic(EVENTS), value, user_id, timestamp=timestamp_ms)
    assert producer.flush(20) == 0
    assert {crc32(record.key or b"") % 4 - record.partition for record in published(shop)} == {0}
    write_events(tmp_path / "events.ndjson", history(10))
    done = shop.run("replay", str(tmp_path / "events.ndjson"))
    assert done.returncode == 1
    assert "Nothing was published" in done.stderr
    assert len(published(shop)) == 50


def test_a_pace_spreads_the_events(shop: Shop) -> None:
    seen: list[int] = []

    def watch(progress: ReplayProgress) -> None:
        seen.append(progress.records)

    records = list(event_records(history(100)))
    connection, topic = connection_of(shop.settings), shop.topic(EVENTS)
    by_rate = asyncio.run(replay(connection, topic, records, rate=200, report=watch))
    by_time = asyncio.run(replay(connection, topic, records, speed=99 * 60 * 2))
    # A pace is a lower bound on the time that it takes, however slow the machine is.
    assert by_rate.seconds >= 99 / 200 - 0.02
    assert by_time.seconds >= 0.5 - 0.02
    assert seen == [100]
    assert len(published(shop)) == 200


def test_an_interrupted_replay_ends_with_130_and_has_published_a_part(shop: Shop, tmp_path: Path) -> None:
    write_events(tmp_path / "events.ndjson", history(50_000))
    process = subprocess.Popen(
        [str(STREAMER), "replay", str(tmp_path / "events.ndjson"), "--rate", "100"],
        env={**os.environ, **shop.environment},
    )

    async def under_way() -> bool:
        return sum((await shop.ends(shop.topic(EVENTS))).values()) > 0

    asyncio.run(wait_for(under_way, "the first published events"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    numbers = sorted(int(json.loads(record.value)["event_id"][1:]) for record in published(shop))
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < 50_000


def test_a_wrong_row_ends_the_replay_before_anything_is_published(shop: Shop, tmp_path: Path) -> None:
    write_events(tmp_path / "good.ndjson", history(2_000))
    shutil.copy(tmp_path / "good.ndjson", tmp_path / "bad.ndjson")
    with (tmp_path / "bad.ndjson").open("a") as file:
        file.write('{"event_id":"1"}\n')
    done = shop.run("replay", str(tmp_path / "good.ndjson"), str(tmp_path / "bad.ndjson"))
    assert done.returncode == 1
    assert "bad.ndjson, line 2001, field user_id: " in done.stderr
    assert "Nothing was published." in done.stderr
    assert published(shop) == []

    # A pipe can be read only once: what was published before the wrong row is said.
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["cp", str(tmp_path / "bad.ndjson"), str(pipe)])
    done = shop.run("replay", str(pipe))
    assert writer.wait(20) == 0
    assert done.returncode == 1
    assert "pipe.ndjson, line 2001, field user_id: " in done.stderr
    assert f"The 2,000 events before it are in {shop.topic(EVENTS)}." in done.stderr
    assert len(published(shop)) == 2_000


def test_rows_that_are_left_out_are_told(shop: Shop, tmp_path: Path) -> None:
    write_events(tmp_path / "events.ndjson", history(3))
    text = (tmp_path / "events.ndjson").read_text()
    (tmp_path / "events.ndjson").write_text(text + text.replace("purchase", "Purchase"))
    report = tmp_path / "report.json"
    done = shop.run("replay", str(tmp_path / "events.ndjson"), "--report", str(report))
    assert done.returncode == 0, done.stderr
    assert "3 of 6 rows were left out, of unknown types: 'Purchase' 3 (purchase?)" in done.stderr
    assert json.loads(report.read_bytes())["left_out"]["types"] == {"Purchase": 3}
    assert len(published(shop)) == 3


def test_both_paces_at_once_are_wrong_use(shop: Shop, tmp_path: Path) -> None:
    write_events(tmp_path / "events.ndjson", history(1))
    done = shop.run("replay", str(tmp_path / "events.ndjson"), "--rate", "1", "--speed", "1")
    assert done.returncode == 2


def test_a_missing_topic_is_named_and_not_created(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    write_events(tmp_path / "events.ndjson", history(1))
    for _ in range(2):
        done = shop.run("replay", str(tmp_path / "events.ndjson"))
        assert done.returncode == 1
        assert f"{shop.topic(EVENTS)} does not exist" in done.stderr


def test_an_unreachable_broker_is_named(tmp_path: Path) -> None:
    write_events(tmp_path / "events.ndjson", history(1))
    done = Shop("127.0.0.1:1", "", tmp_path).run("replay", str(tmp_path / "events.ndjson"))
    assert done.returncode == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in done.stderr


def test_a_short_retention_is_warned_of(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        configuration = {"retention.ms": "86400000"}
        await admin.create_topics(
            [NewTopic(with_prefix(topic_prefix, EVENTS), 1, 1, topic_configs=configuration)]
        )
        await admin.close()

    asyncio.run(create())
    write_events(tmp_path / "events.ndjson", history(1))
    done = Shop(broker.bootstrap, topic_prefix, tmp_path).run("replay", str(tmp_path / "events.ndjson"))
    assert done.returncode == 0, done.stderr
    assert "keeps records for 1 days" in done.stderr
    assert "retention.ms=-1" in done.stderr
