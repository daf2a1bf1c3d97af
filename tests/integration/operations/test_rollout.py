"""The model exchanged under load on a real broker: each score and alert names the model that made it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.topics import ALERTS, MODELS, SCORES
from streamer.kafka.topics import changelog_topic
from streamer.worker.rollout.plan import BundleReference, loaded
from streamer.worker.rollout.topic import newest_rollout, publish_rollout
from streamer.worker.stage.partition.partition_record import CLOCK_KEY, TakenUp, decode_record
from tests.bundles import demo_bundle, successor
from tests.integration.conftest import Broker
from tests.integration.operations.test_status import status_of, wait_until_well
from tests.integration.shop import DEMO_BUNDLE, Shop, wait_for
from tests.integration.worker.test_worker_kills import shopping

# These tests keep bundles in their own folders and the demo's in the repository.
EVERYWHERE = "/"
OLD = demo_bundle().manifest.version
PARTITIONS = 4
KILLS = 3


def told(shop: Shop, *arguments: str) -> str:
    """What a command says that must succeed."""
    done = shop.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def taken_up(shop: Shop) -> dict[int, TakenUp]:
    """Since when each partition is scored with its model, by the changelog."""
    found: dict[int, TakenUp] = {}
    for record in await shop.read(changelog_topic(shop.settings.group_id)):
        if record.key == CLOCK_KEY and record.value is not None:
            model = decode_record(record.value).model
            assert model is not None
            found[record.partition] = model
    return found


async def named(shop: Shop) -> dict[int, list[tuple[int, str, str]]]:
    """By partition, in order: offset of the evidence, version and hash of the model, of scores and alerts."""
    found: dict[int, list[tuple[int, str, str]]] = {}
    for topic in (SCORES, ALERTS):
        for record in await shop.read(shop.topic(topic)):
            message: dict[str, Any] = json.loads(record.value or b"")
            data = message.get("data", message)
            model = data["model"]
            place = found.setdefault(record.partition + PARTITIONS * (topic == ALERTS), [])
            place.append((data["evidence"]["offset"], model["version"], model["sha256"]))
    return found


async def promote_and_kill(shop: Shop, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Promote, and kill the worker each time as soon as a partition goes over; returns the last one."""
    seen = len(shop.log())
    command = asyncio.create_task(asyncio.to_thread(told, shop, "model", "promote"))
    for _ in range(KILLS):

        async def goes_over(seen: int = seen) -> bool:
            said = shop.log()[seen:]
            return "model taken up" in said or "partitions taken over" in said

        await wait_for(goes_over, "a partition to go over, or to be taken over", 90)
        seen = len(shop.log())
        process.kill()
        process.wait(30)
        process = shop.start_worker()
    assert "from offset" in await command
    return process


def test_a_model_is_exchanged_under_load_and_rolled_back(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    new = successor(tmp_path / "new")
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, max_batch="150", bundle_root=EVERYWHERE)
    told(shop, "topics", "--apply")
    events = shopping(users=300, days=200, seed=21)
    half, rest = events[: len(events) // 2], events[len(events) // 2 :]
    early, late = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    process = shop.start_worker()
    try:
        asyncio.run(shop.publish(half))
        said = told(shop, "model", "load", str(new))
        assert "on trial" in said
        asyncio.run(shop.publish(early[:500]))
        asyncio.run(shop.wait_until_committed(len(half) + 500, process))
        page = shop.run("status").stdout
        assert "scores compared, they differ by" in page
        assert OLD in page

        async def under_load() -> subprocess.Popen[bytes]:
            load = asyncio.create_task(publish_slowly(shop, early[500:]))
            ended = await promote_and_kill(shop, process)
            await load
            return ended

        process = asyncio.run(under_load())
        asyncio.run(shop.wait_until_committed(len(half) + len(early), process))
        switched = asyncio.run(taken_up(shop))
        found = asyncio.run(named(shop))
        rolled = told(shop, "model", "rollback")
        assert OLD in rolled
        asyncio.run(shop.publish(late))
        asyncio.run(shop.wait_until_committed(len(events), process))
        deployment = asyncio.run(wait_until_well(shop))
    finally:
        process.kill()
        process.wait(30)

    sha256 = {OLD: demo_bundle().sha256, "2": switched[0].sha256}
    assert sorted(switched) == list(range(PARTITIONS))
    for number, messages in found.items():
        offset = switched[number % PARTITIONS].offset
        versions = [version for _, version, _ in messages]
        assert sorted(versions, key=["2", OLD].index, reverse=True) == versions, (
            "one exchange, and no way back"
        )
        assert all(sha == sha256[version] for _, version, sha in messages)
        assert all(version == "2" for evidence, version, _ in messages if evidence >= offset)
        assert all(evidence < offset for evidence, version, _ in messages if version == OLD)
    assert sum(versions.count("2") for versions in ([m[1] for m in each] for each in found.values())) > 100

    assert deployment["totals"]["events"] == len(events)
    back = asyncio.run(taken_up(shop))
    after = asyncio.run(named(shop))
    for number, model in back.items():
        assert (model.sha256, model.revision) == (sha256[OLD], 3)
        assert model.offset >= switched[number].offset
        assert after[number][-1][1] == OLD
        assert all(version == OLD for evidence, version, _ in after[number] if evidence >= model.offset)


async def publish_slowly(shop: Shop, events: list[Any]) -> None:
    for start in range(0, len(events), 200):
        await shop.publish(events[start : start + 200])


def test_a_damaged_bundle_is_refused_and_the_old_one_goes_on(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    damaged = successor(tmp_path / "damaged")
    reference = BundleReference(str(damaged), "shop", "2", "f" * 64)
    old = BundleReference(str(DEMO_BUNDLE), "shop", OLD, demo_bundle().sha256)
    graph = damaged / "query.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"?")
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, bundle_root=EVERYWHERE)
    told(shop, "topics", "--apply")
    events = shopping(users=20, days=60, seed=8)
    with shop.worker() as process:
        asyncio.run(shop.publish(events[:100]))
        asyncio.run(shop.wait_until_committed(100, process))
        refused = shop.run("model", "load", str(damaged))
        assert refused.returncode == 1
        assert "query.onnx" in refused.stderr
        assert "Traceback" not in refused.stderr
        nothing = shop.run("model", "promote")
        assert (nothing.returncode, "streamer model load" in nothing.stderr) == (1, True)

        # As when the operator's copy is whole and the worker's is not.
        before = asyncio.run(newest_rollout(shop.settings))
        asyncio.run(publish_rollout(shop.settings, loaded(before, reference, old)))

        async def reported() -> bool:
            found = status_of(shop)["attention"]
            return any("refuses" in finding and "query.onnx" in finding for finding in found)

        asyncio.run(wait_for(reported, "the worker's refusal", 60))
        refused = shop.run("model", "promote")
        assert refused.returncode == 1
        assert "is not promoted" in refused.stderr
        told(shop, "model", "drop")
        asyncio.run(shop.publish(events[100:]))
        asyncio.run(shop.wait_until_committed(len(events), process))
        asyncio.run(wait_until_well(shop))
    check_what_is_no_decision_stops_nothing(shop)
    assert {version for each in asyncio.run(named(shop)).values() for _, version, _ in each} == {OLD}


def check_what_is_no_decision_stops_nothing(shop: Shop) -> None:
    """Start a worker although the newest record cannot be read; only commands that build on it refuse."""
    asyncio.run(write_no_decision(shop))
    with shop.worker():

        async def told_of() -> bool:
            return any("no decision" in finding for finding in status_of(shop)["attention"])

        asyncio.run(wait_for(told_of, "the record that cannot be read", 60))
        refused = shop.run("model", "drop")
        assert refused.returncode == 1
        assert "streamer model reset" in refused.stderr
        assert "Traceback" not in refused.stderr
        told(shop, "model", "reset")
        asyncio.run(wait_until_well(shop))
    assert "newest decision about models unreadable" in shop.log()


async def write_no_decision(shop: Shop) -> None:
    async with AIOKafkaProducer(bootstrap_servers=shop.settings.bootstrap) as producer:
        key = shop.settings.application_id.encode()
        await producer.send_and_wait(shop.topic(MODELS.name), b"\xff{", key, partition=0)


def test_one_worker_that_cannot_read_the_bundle_holds_the_exchange_back(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    new = successor(tmp_path / "new")
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path, bundle_root=EVERYWHERE)
    strict = Shop(
        broker.bootstrap,
        topic_prefix,
        tmp_path,
        data_dir=str(tmp_path / "strict"),
        bundle_root=str(DEMO_BUNDLE.parent),
    )
    told(shop, "topics", "--apply")
    asyncio.run(shop.publish(shopping(users=20, days=60, seed=8)))

    async def both_share() -> bool:
        found = status_of(shop)
        return found["group_state"] == "Stable" and sorted(
            len(worker["partitions"]) for worker in found["workers"]
        ) == [2, 2]

    with shop.worker("one"):
        with strict.worker("two"):
            asyncio.run(wait_for(both_share, "two workers with two partitions each", 90))
            refused = shop.run("model", "load", str(new))
            assert refused.returncode == 1
            assert f"{topic_prefix}two refuses" in refused.stderr
            assert "is not below" in refused.stderr
            held_back = shop.run("model", "promote")
            assert held_back.returncode == 1
            assert "is not promoted" in held_back.stderr
            assert {model.revision for model in asyncio.run(taken_up(shop)).values()} == {0}

        async def alone() -> bool:
            found = status_of(shop)
            return not found["attention"] and [len(w["partitions"]) for w in found["workers"]] == [PARTITIONS]

        asyncio.run(wait_for(alone, "the worker that can to have all partitions", 90))

        async def promoted() -> bool:
            # Refused until the worker has spoken of the partitions that it took over.
            return shop.run("model", "promote").returncode == 0

        asyncio.run(wait_for(promoted, "the bundle to be promoted", 60))
        assert {model.revision for model in asyncio.run(taken_up(shop)).values()} == {2}


def test_without_its_topic_each_command_says_so_at_once(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    shop = Shop(broker.bootstrap, topic_prefix, tmp_path)
    for arguments in (["load", str(DEMO_BUNDLE)], ["promote"], ["rollback"], ["drop"], ["reset"]):
        refused = shop.run("model", *arguments)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"error: topic {shop.topic(MODELS.name)} does not exist: create it with "
            "`streamer topics --apply`.\n"
        )
