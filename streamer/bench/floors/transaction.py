"""The transaction alone: the worker's own writer, with changelog, scores and offsets of its batches' size."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from schemas.topics import EVENTS, SCORES, with_prefix
from schemas.wire.encoding import JSON_HEADERS
from streamer.bench.floors.spec import FloorSpec, Pooled, Spent, spending
from streamer.kafka.committed import Committed
from streamer.kafka.connection import Connection
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.runtime.transactions import TransactionalWriter
from streamer.worker.stage.protocol import BatchOutcome, Message


async def transaction(spec: FloorSpec) -> Spent:
    """Commit as many transactions as ``spec.events`` events need, one partition after the other."""
    pool = _pool(spec)
    users = max(1, round(spec.users_per_transaction))
    events, scores = with_prefix(spec.prefix, EVENTS), with_prefix(spec.prefix, SCORES)
    options = WorkerOptions(Connection(spec.bootstrap), f"{spec.prefix}floor", events, Path())
    writers = [TransactionalWriter(options, partition) for partition in range(spec.partitions)]
    await asyncio.gather(*(writer.start() for writer in writers))
    try:
        with spending() as spent:
            done = 0
            while spent.events < spec.events:
                chosen = [pool[(done * users + place) % len(pool)] for place in range(users)]
                outcome = BatchOutcome(
                    {each.key: each.state for each in chosen},
                    [Message(scores, each.key, each.score, JSON_HEADERS) for each in chosen],
                )
                done += 1
                await writers[done % len(writers)].commit(outcome, {events: Committed(done, "")})
                spent.events = round(done * spec.events_per_transaction)
    finally:
        await asyncio.gather(*(writer.stop() for writer in writers))
    return spent


def _pool(spec: FloorSpec) -> list[Pooled]:
    return msgspec.msgpack.decode(Path(spec.pool).read_bytes(), type=list[Pooled])
