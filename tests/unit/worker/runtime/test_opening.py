"""A large table is opened in slices, between which the process answers, and partitions may be taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streamer.kafka.connection import Connection
from streamer.worker.runtime.inbox import Inbox
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.owned_partition import OwnedPartition, Source
from streamer.worker.runtime.partitions import Partitions
from streamer.worker.stage.scoring_stage import SLICE_USERS
from tests.unit.worker.runtime.test_recovery import IdleStage
from tests.unit.worker.stage.test_scoring_stage import Worker, new_stage, purchase

SLICES = 50


class Sliced(IdleStage):
    """Opens each partition in many slices, and remembers those that it was not let finish."""

    def __init__(self) -> None:
        self.abandoned: list[int] = []
        self.closed: list[int] = []

    def opening(
        self,
        partition: int,
        items: object,  # noqa: ARG002 - the protocol's
        status: str = "",  # noqa: ARG002 - the protocol's
        next_offset: int = 0,  # noqa: ARG002 - the protocol's
    ) -> Generator[None]:
        try:
            for _ in range(SLICES):
                yield
        except GeneratorExit:
            self.abandoned.append(partition)
            raise

    def close(self, partition: int) -> None:
        self.closed.append(partition)


def owning(stage: Sliced, directory: Path) -> Partitions:
    """Two partitions that are not open yet."""
    options = WorkerOptions(Connection("localhost:1"), "app", "events", directory)
    store = cast(Any, SimpleNamespace(items=lambda _: ()))

    async def fail(error: BaseException) -> None:
        raise error

    partitions = Partitions(options, stage, store, fail, lambda _: False)
    for number in (0, 1):
        owned = OwnedPartition(cast(Any, None), {"events": Source(0)}, "", Inbox(1))
        partitions._owned[number] = owned
    return partitions


def test_others_have_their_turn_between_slices(tmp_path: Path) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> bool:
        partitions = owning(Sliced(), tmp_path)
        others = asyncio.create_task(take_turns())
        opened = await partitions.open()
        others.cancel()
        assert all(owned.open for owned in partitions._owned.values())
        return opened

    assert asyncio.run(run())
    assert turns >= 2 * SLICES


@pytest.mark.parametrize("opened_before", [0, 1])
def test_partitions_taken_away_meanwhile_are_not_open(tmp_path: Path, opened_before: int) -> None:
    async def run() -> Sliced:
        stage = Sliced()
        partitions = owning(stage, tmp_path)
        opening = asyncio.create_task(partitions.open())
        for _ in range(opened_before * SLICES + 3):
            await asyncio.sleep(0)
        await partitions.release()
        assert not await opening
        assert not any(owned.open for owned in partitions._owned.values())
        return stage

    stage = asyncio.run(run())
    assert stage.abandoned == [opened_before]
    assert stage.closed == [*range(opened_before)]


def test_a_stage_stops_after_so_many_users_and_reads_no_further_when_closed() -> None:
    worker = Worker()
    worker.process(purchase("e1", "u", 0))
    read = 0

    def items() -> Iterable[tuple[bytes, bytes]]:
        nonlocal read
        for number in range(3 * SLICE_USERS):
            read += 1
            yield f"u{number}".encode(), worker.table[b"u"]

    assert sum(1 for _ in new_stage().opening(0, items())) == 3
    read = 0
    opening = new_stage().opening(0, items())
    next(opening)
    next(opening)
    opening.close()
    assert read == SLICE_USERS + 1
