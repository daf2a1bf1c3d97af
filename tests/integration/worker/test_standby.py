"""Four workers that keep copies of each other's partitions, on a real broker."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from tests.integration.conftest import Broker
from tests.integration.worker.transactions_harness import PARTITIONS, Scenario, WorkerProcess, eventually

RECORDS = 3000
LOAD_PER_S = 600
NAMES = ("first", "second", "third", "fourth")
RECOVERED = re.compile(r"table recovered\s+partitions=(\d+) records=(\d+)")


def test_killed_workers_partition_goes_to_who_stands_by(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with Scenario(broker.bootstrap, topic_prefix, tmp_path, seed=4) as scenario:
            workers = [scenario.worker(name, standbys=1) for name in NAMES]
            await eventually(lambda: _shared_out(workers), "one partition for each worker")
            async with scenario.load(LOAD_PER_S):
                await scenario.wait_for_outputs(RECORDS)
            await scenario.wait_for_outputs(len(scenario.sent))
            await eventually(lambda: all(map(_caught_up, workers)), "every standby has caught up")
            killed, *others = workers
            recoveries = [len(_recovered(worker)) for worker in others]
            killed.kill()
            async with scenario.load(LOAD_PER_S):
                await eventually(
                    lambda: all(
                        len(_recovered(worker)) > before
                        for worker, before in zip(others, recoveries, strict=True)
                    ),
                    "the others have shared out its partition",
                )
                restored = sum(_recovered(worker)[-1][1] for worker in others)
                assert restored < RECORDS / 10, "read from the changelog although copies were there"
                others[0].signal(signal.SIGTERM)
                assert others[0].wait() == 0
                await scenario.wait_for_outputs(len(await scenario.outputs()) + RECORDS)
            await scenario.assert_exactly_once()

    asyncio.run(body())


def _recovered(worker: WorkerProcess) -> list[tuple[int, int]]:
    """Partitions owned, and records read from the changelog, at each recovery."""
    found = RECOVERED.findall(worker.log.read_text())
    return [(int(partitions), int(records)) for partitions, records in found]


def _shared_out(workers: list[WorkerProcess]) -> bool:
    newest = [_recovered(worker)[-1:] for worker in workers]
    return sum(partitions for each in newest for partitions, _ in each) == PARTITIONS and all(newest)


def _caught_up(worker: WorkerProcess) -> bool:
    """Whether a standby was up to date after the newest assignment."""
    return "standby has caught up" in worker.log.read_text().rpartition("partitions taken over")[2]
