"""The floors of a workload, each measured in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.parts import Evidence, ModelReference
from schemas.score import Score
from schemas.timestamps import format_timestamp
from schemas.wire.encoding import encode_score
from streamer.bench.contest.contestant import Contestant
from streamer.bench.contest.failure import BenchError
from streamer.bench.floors.spec import FloorName, FloorSpec, Pooled, Spent
from streamer.bench.input.prepared import Prepared
from streamer.bench.input.shop import START_MS, user_id
from streamer.bench.input.sizes import Sizes, WorkloadSize
from streamer.bench.report.report import Batches
from streamer.core.user_state import encode_state
from streamer.kafka.topics import create_missing_topics
from streamer.processes.child import ChildProcess, child_environment, last_lines
from streamer.settings.settings import Settings

POOL_USERS = 8_192


class Floors(NamedTuple):
    """Ready to be measured: the transactions' topics are there, and ``pool`` holds what they write."""

    worker: Contestant
    size: WorkloadSize
    sizes: Sizes
    directory: Path
    prefix: str
    pool: Path

    async def measure(self, floor: FloorName, transaction: Batches) -> Spent:
        """One floor, once. ``transaction``: what the worker's were like."""
        settings, answer = self.worker.settings, self.directory / f"{floor}.json"
        spec = FloorSpec(
            floor=floor,
            bootstrap=settings.bootstrap,
            partitions=settings.partitions,
            events=self.sizes.floor_steps if floor == "step" else self.size.events,
            topic=self.worker.events_topic,
            arena_users=min(self.size.arena_users, self.size.users),
            bundle=str(settings.bundle),
            pool=str(self.pool),
            events_per_transaction=transaction.events,
            users_per_transaction=transaction.users,
            prefix=self.prefix,
            answer=str(answer),
        )
        arguments = ("-m", "streamer.bench.floors", msgspec.json.encode(spec).decode())
        process = ChildProcess(floor, arguments, self.directory, child_environment(self.directory))
        await process.start()
        try:
            status = await process.ended()
        finally:
            await process.stop()
        if status != 0:
            raise BenchError(f"the floor {floor} failed:\n{last_lines(process.log_file)}")
        return msgspec.json.decode(answer.read_bytes(), type=Spent)


async def prepare_floors(
    worker: Contestant, size: WorkloadSize, sizes: Sizes, prepared: Prepared, directory: Path
) -> Floors:
    """Floors beside ``worker``."""
    own = directory / f"{worker.settings.group_id}-floors"
    own.mkdir()
    prefix = f"{worker.settings.topic_prefix}floor."
    await create_missing_topics(
        Settings(
            bootstrap=worker.settings.bootstrap,
            topic_prefix=prefix,
            application_id="floor",
            partitions=worker.settings.partitions,
        )
    )
    pool = own / "pool.msgpack"
    pool.write_bytes(msgspec.msgpack.encode(_pool(prepared, worker.events_topic)))
    return Floors(worker, size, sizes, own, prefix, pool)


def _pool(prepared: Prepared, topic: str) -> Sequence[Pooled]:
    model = ModelReference("bench", "1", "0" * 64)
    at = format_timestamp(START_MS + 1)
    pooled: list[Pooled] = []
    for number, state in enumerate(prepared.states[:POOL_USERS]):
        who = user_id(number)
        score = Score(
            user_id=who,
            scored_at=at,
            last_event_at=at,
            risk=round(state.risk, 6),
            horizon_days=28.0,
            model=model,
            evidence=Evidence(topic, number % 4, 1_000_000 + number),
        )
        pooled.append(Pooled(who.encode(), encode_state(state), encode_score(score)))
    return pooled
