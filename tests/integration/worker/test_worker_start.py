"""A worker that could not do its work says so at once: what is wrong, what to do, the right exit code."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from streamer.core.user_state import STATE_VERSION
from streamer.kafka.topics import changelog_topic
from tests.integration.conftest import Broker
from tests.integration.shop import DEMO_BUNDLE, Shop


@pytest.fixture
def shop(broker: Broker, topic_prefix: str, tmp_path: Path) -> Shop:
    return Shop(broker.bootstrap, topic_prefix, tmp_path)


def test_missing_topics_are_named_with_the_command_that_creates_them(shop: Shop) -> None:
    ended = shop.run("worker")
    assert ended.returncode == 1
    assert shop.topic("commerce.events.v1") in ended.stderr
    assert "streamer topics --apply" in ended.stderr


def test_an_unreachable_broker_is_named(shop: Shop) -> None:
    shop.environment["STREAMER_BOOTSTRAP"] = "127.0.0.1:1"
    ended = shop.run("worker")
    assert ended.returncode == 1
    assert "127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("STREAMER_MAX_BATCH", "many", "STREAMER_MAX_BATCH"),
        ("STREAMER_MODE", "fast", "event-time"),
        ("STREAMER_BOOTSTRAPS", "x:1", "STREAMER_BOOTSTRAP"),
        ("STREAMER_BUNDLE", "", "STREAMER_BUNDLE"),
        ("STREAMER_DEVICE", "cuda", "device: "),
        ("STREAMER_ARENA_PRECISION", "int8", "fp16"),
    ],
)
def test_settings_that_do_not_fit_are_named(shop: Shop, name: str, value: str, expected: str) -> None:
    assert shop.run("topics", "--apply").returncode == 0
    shop.environment[name] = value
    ended = shop.run("worker")
    assert ended.returncode in (1, 2)
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_time_zone_than_the_bundles_is_refused(shop: Shop) -> None:
    assert shop.run("topics", "--apply").returncode == 0
    shop.environment["STREAMER_TIME_ZONE"] = "Europe/Berlin"
    ended = shop.run("worker")
    assert ended.returncode == 2
    assert "time_zone: Europe/Berlin is not UTC" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_partitions_that_do_not_fit_are_refused(shop: Shop) -> None:
    assert shop.run("topics", "--apply").returncode == 0
    events = shop.topic("commerce.events.v1")
    other = Shop(shop.environment["STREAMER_BOOTSTRAP"], shop.prefix + "x.", shop.directory, partitions="2")
    assert other.run("topics", "--apply").returncode == 0
    # The topics of the one, and the changelog of the other.
    other.environment["STREAMER_TOPIC_PREFIX"] = shop.prefix
    other.environment["STREAMER_APPLICATION_ID"] = f"x.{other.settings.application_id}"
    ended = other.run("worker")
    assert ended.returncode == 1
    assert "partitions" in ended.stderr
    assert events in ended.stderr or changelog_topic(other.settings.group_id) in ended.stderr


def changed_bundle(shop: Shop) -> Path:
    assert shop.run("topics", "--apply").returncode == 0
    copy = shop.directory / "bundle"
    shutil.copytree(DEMO_BUNDLE, copy)
    shop.environment["STREAMER_BUNDLE"] = str(copy)
    return copy


def test_a_damaged_bundle_is_refused(shop: Shop) -> None:
    graph = next(changed_bundle(shop).glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    ended = shop.run("worker")
    assert ended.returncode == 1
    assert graph.name in ended.stderr


def test_a_bundle_whose_golden_vectors_do_not_come_out_is_refused(shop: Shop) -> None:
    bundle = changed_bundle(shop)
    golden = bundle / "golden.json"
    text = golden.read_text()
    number = re.findall(r"-?0\.\d{4,}", text)[-1]
    golden.write_text(text.replace(number, "0.123456789"))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["sha256"]["golden.json"] = sha256(golden.read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    ended = shop.run("worker")
    assert ended.returncode == 1
    assert "golden" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bundle_of_another_format_is_refused(shop: Shop) -> None:
    manifest = changed_bundle(shop) / "manifest.json"
    content = json.loads(manifest.read_text())
    content["format_version"] += 1
    manifest.write_text(json.dumps(content))
    ended = shop.run("worker")
    assert ended.returncode == 1
    assert f"format {content['format_version']}" in ended.stderr


def test_state_of_a_newer_version_stops_the_worker(shop: Shop) -> None:
    assert shop.run("topics", "--apply").returncode == 0
    newer = msgspec.msgpack.encode([STATE_VERSION + 1, "of a later release"])

    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=shop.environment["STREAMER_BOOTSTRAP"])
        async with producer:
            await producer.send_and_wait(changelog_topic(shop.settings.group_id), newer, b"u1", partition=0)

    asyncio.run(write())
    process = shop.start_worker()
    assert process.wait(60) == 1
    assert f"version {STATE_VERSION + 1}" in shop.log()
