"""`streamer dlq`: causes counted, letters shown, records sent again once and only once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.dead_letter import dead_letter_headers, read_dead_letter
from schemas.errors import MalformedEventError
from schemas.event import Event
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from schemas.wire.encoding import encode_event
from tests.integration.conftest import Broker
from tests.integration.shop import STREAMER, Shop, wait_for
from tests.integration.worker.test_worker_kills import shopping

START_MS = 1_483_228_800_000
CONTENT_TYPE = (("content-type", b"application/msgpack"),)


@pytest.fixture
def shop(broker: Broker, topic_prefix: str, tmp_path: Path) -> Shop:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    assert shop.run("topics", "--apply").returncode == 0
    return shop


def redriven(shop: Shop, *arguments: str) -> int:
    """How many records a redrive says it has sent, or would send."""
    report = shop.directory / "redrive.json"
    done = shop.run("dlq", "redrive", *arguments, "--report", str(report))
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text())["redriven"]


def causes(shop: Shop) -> dict[str, dict[str, Any]]:
    done = shop.run("dlq", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {cause["error_class"]: cause for cause in json.loads(done.stdout)["causes"]}


def work(shop: Shop, **settings: str) -> None:
    """A worker that reads everything that is there, and ends."""
    worker = Shop(shop.environment["STREAMER_BOOTSTRAP"], shop.prefix, shop.directory, **settings)
    with worker.worker() as process:

        async def done() -> bool:
            assert process.poll() is None, shop.log()[-3000:]
            return not any(
                view["lag"] for view in json.loads(worker.run("status", "--json").stdout)["partitions"]
            )

        asyncio.run(wait_for(done, "everything to be read", 90))


def test_what_failed_under_wrong_settings_is_sent_again_once(shop: Shop) -> None:
    events = [(f"u{n}", Event(f"e{n}", f"u{n}", "purchase", START_MS + n)) for n in range(12)]
    asyncio.run(shop.publish([(user, encode_event(event), event.timestamp) for user, event in events]))
    packed = msgspec.msgpack.encode({"event_id": "p", "user_id": "up", "type": "view", "timestamp": START_MS})
    asyncio.run(shop.publish([("up", packed, START_MS)], CONTENT_TYPE))
    asyncio.run(shop.publish([("bad", b"{broken \xff", START_MS), ("worse", b"no", START_MS)]))
    originals = asyncio.run(shop.read(shop.topic(EVENTS)))
    work(shop, event_format="ga4")

    found = causes(shop)
    assert {name: cause["count"] for name, cause in found.items()} == {
        "missing-field": 12,
        "content-type": 1,
        "not-utf8": 1,
        "not-json": 1,
    }
    assert sum(source["count"] for source in found["missing-field"]["sources"]) == 12
    shown = json.loads(shop.run("dlq", "show", "--cause", "not-utf8", "--json").stdout)
    assert (shown["key"], bytes.fromhex(shown["value_hex"])) == ("bad", b"{broken \xff")
    place = ["--partition", str(shown["partition"]), "--offset", str(shown["offset"])]
    assert b"{broken".hex() in shop.run("dlq", "show", *place).stdout
    assert found["not-json"]["id"] in shop.run("dlq", "list").stdout

    assert redriven(shop, "--cause", "missing-field") == 12
    assert asyncio.run(shop.read(shop.topic(EVENTS))) == originals, "a dry run sends nothing"
    assert redriven(shop, "--cause", found["missing-field"]["id"], "--apply") == 12
    assert redriven(shop, "--cause", "missing-field", "--apply") == 0
    assert redriven(shop, "--cause", "content-type", "--apply") == 1
    copies = [r for r in asyncio.run(shop.read(shop.topic(EVENTS))) if "redriven-from" in dict(r.headers)]
    assert len(copies) == 13
    by_place = {(record.partition, record.offset): record for record in originals}
    for copy in copies:
        *own, attempts, failed = copy.headers
        original = by_place[copy.partition, int(failed[1])]
        assert attempts == ("attempts", b"1")
        assert (copy.key, copy.value, copy.timestamp, own) == (
            original.key,
            original.value,
            original.timestamp,
            list(original.headers),
        )

    work(shop)
    scored = {record.key for record in asyncio.run(shop.read(shop.topic(SCORES)))}
    assert scored == {b"up", *(user.encode() for user, _ in events)}
    assert len(asyncio.run(shop.read(shop.topic(DEAD_LETTERS)))) == 15, "none of them has failed again"


def test_what_fails_again_is_counted_and_can_be_sent_again(shop: Shop) -> None:
    asyncio.run(shop.publish([("bad", b"no", START_MS)]))
    for attempts in (1, 2, 3):
        work(shop)
        letters = asyncio.run(shop.read(shop.topic(DEAD_LETTERS)))
        assert [read_dead_letter(letter.headers).attempts for letter in letters] == [*range(1, attempts + 1)]
        assert causes(shop)["not-json"]["attempts"] == attempts
        assert redriven(shop, "--apply") == 1
        assert redriven(shop, "--apply") == 0
    last = letters[-1]
    assert (last.key, last.value, last.timestamp_type) == (b"bad", b"no", 1)
    sent = asyncio.run(shop.read(shop.topic(EVENTS)))
    assert [record.timestamp for record in sent] == [START_MS] * 4


async def dead_letters_of_all(shop: Shop) -> int:
    """A dead letter for every record of the events topic, as a worker writes them."""
    failed = await shop.read(shop.topic(EVENTS))
    producer = AIOKafkaProducer(bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"])
    async with producer:
        for record in failed:
            error = MalformedEventError("out-of-order", f"row {record.offset} of 'table {record.partition}'")
            headers = dead_letter_headers(error, record.topic, record.partition, record.offset)
            await producer.send(
                shop.topic(DEAD_LETTERS), record.value, record.key, record.partition, headers=list(headers)
            )
        await producer.flush()
    return len(failed)


def start_redrive(shop: Shop) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(STREAMER), "dlq", "redrive", "--apply"],
        env={**os.environ, **shop.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def copies(shop: Shop) -> Counter[tuple[int, bytes]]:
    """How often each record was sent again, by the place of the one that failed."""
    sent = await shop.read(shop.topic(EVENTS))
    headers = [(record.partition, dict(record.headers)) for record in sent]
    return Counter((partition, of["redriven-from"]) for partition, of in headers if "redriven-from" in of)


def test_killed_half_way_and_run_twice_at_a_time_it_sends_none_twice(shop: Shop) -> None:
    asyncio.run(shop.publish(shopping(users=300, days=120, seed=8)))
    failed = asyncio.run(dead_letters_of_all(shop))
    assert failed > 3000
    (cause,) = causes(shop).values()
    assert (cause["message"], cause["count"]) == ("row N of '…'", failed)

    before = asyncio.run(shop.ends(shop.topic(EVENTS)))
    killed = start_redrive(shop)

    async def some_are_there() -> bool:
        assert killed.poll() is None
        return await shop.ends(shop.topic(EVENTS)) != before

    asyncio.run(wait_for(some_are_there, "the first transaction", 60))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    partly = asyncio.run(copies(shop))
    assert 0 < len(partly) < failed

    together = [start_redrive(shop), start_redrive(shop)]
    for process in together:
        _, failure = process.communicate(timeout=120)
        assert process.returncode == 0 or b"another `streamer dlq redrive`" in failure, failure
    assert redriven(shop, "--apply") == failed - len(asyncio.run(copies(shop)))
    everything = asyncio.run(copies(shop))
    assert len(everything) == failed
    assert set(everything.values()) == {1}


def test_a_record_that_is_gone_is_left_out_and_named(shop: Shop) -> None:
    asyncio.run(shop.publish([("u", b"{bad", START_MS), ("u", b"{bid", START_MS)]))
    work(shop)
    (first, second) = asyncio.run(shop.read(shop.topic(EVENTS)))
    asyncio.run(delete_before(shop, TopicPartition(second.topic, second.partition), second.offset))
    done = shop.run("dlq", "redrive", "--apply")
    assert "1 sent, 1 left out: the source topic no longer holds what failed" in done.stdout
    (copy,) = [r for r in asyncio.run(shop.read(shop.topic(EVENTS))) if r.offset > second.offset]
    assert copy.value == b"{bid"
    assert first.value == b"{bad"


async def delete_before(shop: Shop, partition: TopicPartition, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"])
    await admin.start()
    try:
        await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


def test_wrong_use_says_what_to_do(shop: Shop) -> None:
    assert shop.run("dlq", "list").stdout == "no dead letters\n"
    assert json.loads(shop.run("dlq", "list", "--json").stdout) == {"dead_letters": 0, "causes": []}
    assert redriven(shop, "--apply") == 0
    missing = shop.run("dlq", "show", "--cause", "not-jsno")
    assert missing.returncode == 1
    assert "no dead letter of the cause not-jsno" in missing.stderr
    assert shop.run("dlq", "redrive", "--cause", "not-jsno").returncode == 1
    assert shop.run("dlq", "show", "--partition", "0").returncode == 2
