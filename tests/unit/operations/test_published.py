"""Where a topic's newest events lie, before a replay puts others beside them."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from aiokafka import TopicPartition

from schemas.errors import TopicError
from streamer.operations import published
from streamer.operations.published import stray_warning
from streamer.settings.settings import Settings
from streamer.worker.stage.repartition import partition_of
from tests.unit.worker.stage.test_scoring_stage import START

PARTITIONS = 4
USERS = [f"u{number}" for number in range(60)]


def record(user_id: str, event_type: str = "view") -> Any:
    event = {"event_id": "e", "user_id": user_id, "type": event_type, "timestamp": START}
    return SimpleNamespace(value=json.dumps(event).encode(), headers=(), timestamp=START)


def warned(
    monkeypatch: pytest.MonkeyPatch, lying: list[tuple[int, Any]], settings: Settings | None = None
) -> str | None:
    async def newest(*_: object) -> dict[TopicPartition, list[Any]]:
        tails: dict[TopicPartition, list[Any]] = {TopicPartition("t", n): [] for n in range(PARTITIONS)}
        for partition, record in lying:
            tails[TopicPartition("t", partition)].append(record)
        return tails

    monkeypatch.setattr(published, "newest_records", newest)
    return asyncio.run(stray_warning(settings or Settings(), "t", PARTITIONS))


def in_place() -> list[tuple[int, Any]]:
    return [(partition_of(user, PARTITIONS), record(user)) for user in USERS]


def test_a_topic_without_strays_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(value=b"no event", headers=(("content-type", None),), timestamp=START)
    unplaced = [(0, broken), *((partition, record("u1", "page_ping")) for partition in range(PARTITIONS))]
    assert warned(monkeypatch, []) is None
    assert warned(monkeypatch, [*in_place(), *unplaced]) is None


def test_another_partitioner_ends_a_replay_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    lying = [(crc32(user.encode()) % PARTITIONS, record(user)) for user in USERS]
    strays = sum(crc32(user.encode()) % PARTITIONS != partition_of(user, PARTITIONS) for user in USERS)
    words = rf"{strays} of the 60 newest events in t lie in another.*Nothing was published.*murmur2_random"
    with pytest.raises(TopicError, match=words):
        warned(monkeypatch, lying)
    assert warned(monkeypatch, lying, Settings(repartition=True)) is None


def test_a_single_stray_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = ((partition_of("u", PARTITIONS) + 1) % PARTITIONS, record("u"))
    warning = warned(monkeypatch, [*in_place(), stray])
    assert warning is not None
    assert warning.startswith("1 of the 61 newest events in t lie in another partition")
