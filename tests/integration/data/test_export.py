"""Topics of a real broker into files."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.event import Event, Item
from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, SCORES
from schemas.units import MINUTE_MS
from streamer.data.files import read_events, write_events
from tests.integration.conftest import Broker
from tests.integration.data.test_replay import START_MS, history
from tests.integration.shop import Shop


@pytest.fixture
def shop(broker: Broker, topic_prefix: str, tmp_path: Path) -> Shop:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    created = shop.run("topics", "--apply")
    assert created.returncode == 0, created.stderr
    return shop


async def send(
    shop: Shop,
    topic: str,
    records: list[tuple[bytes | None, bytes | None]],
    headers: tuple[tuple[str, bytes], ...] = (),
    transaction: str | None = None,
) -> None:
    """Send records to partition 0; ``transaction`` is "commit" or "abort"."""
    producer = AIOKafkaProducer(
        bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"],
        transactional_id=f"{shop.prefix}sender" if transaction else None,
    )
    async with producer:
        if transaction:
            await producer.begin_transaction()
        for key, value in records:
            await producer.send(
                shop.topic(topic), value, key, partition=0, timestamp_ms=START_MS, headers=list(headers)
            )
        await producer.flush()
        if transaction == "commit":
            await producer.commit_transaction()
        elif transaction == "abort":
            await producer.abort_transaction()


def exported(shop: Shop, topic: str, out: Path, *options: str) -> str:
    done = shop.run("export", topic, "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson.zst", ".csv"])
def test_events_come_back_as_the_file_that_was_replayed(shop: Shop, tmp_path: Path, suffix: str) -> None:
    events = history(3_000)
    write_events(tmp_path / "in.ndjson", events)
    assert shop.run("replay", str(tmp_path / "in.ndjson")).returncode == 0
    out = tmp_path / f"out{suffix}"
    exported(shop, EVENTS, out)
    assert list(read_events(out)) == events
    exported(shop, shop.topic(EVENTS), tmp_path / f"again{suffix}")
    assert (tmp_path / f"again{suffix}").read_bytes() == out.read_bytes()


def test_a_span_of_time_includes_its_start_and_not_its_end(shop: Shop, tmp_path: Path) -> None:
    events = history(100)
    write_events(tmp_path / "in.ndjson", events)
    assert shop.run("replay", str(tmp_path / "in.ndjson")).returncode == 0
    span = (START_MS + 10 * MINUTE_MS, START_MS + 20 * MINUTE_MS)
    options = ("--from", format_timestamp(span[0]), "--to", str(span[1]))
    report = tmp_path / "report.json"
    exported(shop, EVENTS, tmp_path / "out.ndjson", *options, "--report", str(report))
    assert list(read_events(tmp_path / "out.ndjson")) == events[10:20]
    assert json.loads(report.read_bytes())["records"] == 10
    exported(shop, EVENTS, tmp_path / "none.ndjson", "--from", "2030-01-01")
    assert (tmp_path / "none.ndjson").read_bytes() == b""


def test_message_pack_is_read_and_what_is_no_event_left_out(shop: Shop, tmp_path: Path) -> None:
    event = Event("e", "u", "view", START_MS, (Item("i"),))
    packed = msgspec.msgpack.encode(event)
    content_type = (("content-type", b"application/msgpack"),)
    asyncio.run(send(shop, EVENTS, [(b"u", packed), (b"u", b"\xc1"), (b"u", None)], content_type))
    asyncio.run(
        send(shop, EVENTS, [(b"u", msgspec.json.encode({**msgspec.structs.asdict(event), "type": "x"}))])
    )
    told = exported(shop, EVENTS, tmp_path / "out.ndjson")
    assert list(read_events(tmp_path / "out.ndjson")) == [event]
    assert "2 records were left out: malformed" in told
    assert "1 records were left out: unknown-type" in told


def test_only_committed_messages_one_on_a_line(shop: Shop, tmp_path: Path) -> None:
    for number, end in enumerate(["commit", "abort", "commit"]):
        message = json.dumps({"number": number}, indent=2).encode()
        asyncio.run(send(shop, ALERTS, [(b"u", message)], transaction=end))
    exported(shop, ALERTS, tmp_path / "alerts.ndjson")
    assert (tmp_path / "alerts.ndjson").read_text() == '{"number":0}\n{"number":2}\n'


def test_tombstones_have_no_line(shop: Shop, tmp_path: Path) -> None:
    asyncio.run(send(shop, SCORES, [(b"u", b'{"risk":0.5}'), (b"v", None)]))
    told = exported(shop, SCORES, tmp_path / "scores.ndjson.gz")
    assert "1 records were left out: tombstone" in told


def test_dead_letters_keep_every_byte(shop: Shop, tmp_path: Path) -> None:
    headers = (("error-class", b"not-json"), ("trace", b"\xff"))
    asyncio.run(send(shop, DEAD_LETTERS, [(b"u", b"{broken"), (None, b"\x00\xff")], headers))
    exported(shop, DEAD_LETTERS, tmp_path / "dlq.ndjson")
    text, binary = map(json.loads, (tmp_path / "dlq.ndjson").read_text().splitlines())
    assert text["key"] == "u"
    assert text["value"] == "{broken"
    assert text["headers"][0] == {"name": "error-class", "value": "not-json"}
    assert binary["key"] is None
    assert base64.b64decode(binary["value_base64"]) == b"\x00\xff"
    assert base64.b64decode(binary["headers"][1]["value_base64"]) == b"\xff"
    assert (binary["partition"], binary["offset"]) == (0, 1)


def test_wrong_use_and_missing_topics(shop: Shop, tmp_path: Path) -> None:
    missing = shop.run("export", "no.such.topic", "--out", str(tmp_path / "out.ndjson"))
    assert missing.returncode == 1
    assert f"there is no topic {shop.topic('no.such.topic')}" in missing.stderr
    wrong_kind = shop.run("export", ALERTS, "--out", str(tmp_path / "out.parquet"))
    assert wrong_kind.returncode == 2
    wrong_time = shop.run("export", ALERTS, "--out", str(tmp_path / "out.ndjson"), "--from", "noon")
    assert wrong_time.returncode == 2
    assert "'noon' is not a time" in wrong_time.stderr
    assert list(tmp_path.iterdir()) == []
