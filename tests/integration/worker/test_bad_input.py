"""Whatever arrives, the worker goes on, and the dead letters hold the bytes as they came."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from schemas.units import DAY_MS
from tests.integration.conftest import Broker
from tests.integration.shop import Shop

NOW = time.time_ns() // 1_000_000
GOOD = {"event_id": "e1", "user_id": "u1", "type": "purchase", "timestamp": NOW, "value": 7.5}


def changed(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


MALFORMED: dict[str, tuple[bytes | None, bytes | None]] = {
    "not JSON": (b"click!", None),
    "empty": (b"", None),
    "null": (None, None),
    "an array": (b"[1,2]", None),
    "no user": (json.dumps({k: v for k, v in GOOD.items() if k != "user_id"}).encode(), None),
    "wrong type": (changed(value="dear"), None),
    "before 1990": (changed(timestamp="1989-12-31T23:59:59Z"), None),
    "a day ahead": (changed(timestamp=NOW + DAY_MS + 60_000), None),
    "no time zone": (changed(timestamp="2026-01-01T00:00:00"), None),
    "empty id": (changed(user_id=""), None),
    "over-long id": (changed(event_id="x" * 257), None),
    "NaN": (changed(value=1).replace(b'"value": 1', b'"value": NaN'), None),
    "MessagePack NaN": (msgspec.msgpack.encode({**GOOD, "value": float("nan")}), b"application/msgpack"),
    "larger than 1 MiB": (changed(text="x" * (1024 * 1024)), None),
    "larger than 1 MiB, not compressible": (changed(text=random.Random(1).randbytes(1_900_000).hex()), None),
    "much larger than 1 MiB, compressed": (changed(text="y" * (12 * 1024 * 1024)), None),
    "wrong content type": (changed(), b"text/xml"),
    "JSON said to be MessagePack": (changed(), b"application/msgpack"),
    "invalid UTF-8": (changed(text="AB").replace(b"AB", b"\xff\xfe"), None),
}


async def publish_all(shop: Shop) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"],
        max_request_size=20_000_000,
        compression_type="lz4",
    )
    async with producer:
        for number, (value, content_type) in enumerate(MALFORMED.values()):
            headers = [("content-type", content_type)] if content_type else []
            await producer.send_and_wait(
                shop.topic(EVENTS), value, f"k{number}".encode(), timestamp_ms=NOW, headers=headers
            )
            good = changed(event_id=f"good{number}", user_id=f"u{number}")
            await producer.send_and_wait(shop.topic(EVENTS), good, f"k{number}".encode(), timestamp_ms=NOW)


def test_each_bad_record_is_a_dead_letter_and_each_good_one_is_scored(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    with shop.worker() as process:
        asyncio.run(publish_all(shop))
        asyncio.run(shop.wait_until_committed(2 * len(MALFORMED), process))
    assert process.returncode == 0

    sources = {(r.partition, r.offset): r for r in asyncio.run(shop.read(shop.topic(EVENTS)))}
    letters = asyncio.run(shop.read(shop.topic(DEAD_LETTERS)))
    assert len(letters) == len(MALFORMED)
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["source-topic"].decode() == shop.topic(EVENTS)
        source = sources[int(headers["source-partition"]), int(headers["source-offset"])]
        assert (letter.key, letter.value) == (source.key, source.value)
        assert headers["error-class"]
        assert headers["error-message"]
        assert headers["attempts"] == b"1"
    scored = {record.key for record in asyncio.run(shop.read(shop.topic(SCORES)))}
    assert scored == {f"u{number}".encode() for number in range(len(MALFORMED))}
