"""Users ask to be forgotten, and a worker is killed while that is done."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from time import monotonic

from confluent_kafka import Producer

from schemas.erasure import ErasureRequest
from schemas.timestamps import format_timestamp
from schemas.topics import ERASURES, SCORES
from schemas.wire.encoding import encode_erasure
from tests.faults.inject.field import Aftermath, Fault, Field, until
from tests.faults.inject.topics import COMPACT_AT_ONCE, configure
from tests.faults.reading import read_topic
from tests.faults.schedule import Kind, Strike
from tests.table_files import files_with

AT_ONCE = 5
ACKNOWLEDGED_WITHIN_S = 30.0
FORGOTTEN_WITHIN_S = 120.0


async def erase_users(field: Field, strike: Strike) -> Aftermath:
    """Silent users are erased; after forced compaction no topic's value and no file of a store has them."""
    worker = field.fleet.pick(strike.worker)
    partitions = await field.seated(worker)

    def silent() -> list[str]:
        return [user for user in field.crowd.silent() if user not in field.erased][-AT_ONCE:]

    await until(silent, "somebody to fall silent")
    users = silent()
    await asyncio.to_thread(_request, field, users)
    await asyncio.sleep(strike.hold_s)
    since = monotonic()
    worker.signal(signal.SIGKILL)
    field.erased.update(users)
    recovery_s = await field.progress.recovery_s(partitions, since)
    topics = (field.changelog, field.shop.topic(SCORES))
    for topic in topics:
        await asyncio.to_thread(configure, field.broker.bootstrap, topic, COMPACT_AT_ONCE)
    try:
        await _forgotten(field, users, topics)
    finally:
        for topic in topics:
            await asyncio.to_thread(configure, field.broker.bootstrap, topic, dict.fromkeys(COMPACT_AT_ONCE))
    return Aftermath(partitions, since, recovery_s)


def _request(field: Field, users: list[str]) -> None:
    producer = Producer({"bootstrap.servers": field.broker.bootstrap, "partitioner": "murmur2_random"})
    now_ms = field.crowd.now_ms()
    for user in users:
        value = encode_erasure(
            ErasureRequest(user_id=user, requested_at=format_timestamp(now_ms), request_id=f"ticket {user}")
        )
        producer.produce(field.shop.topic(ERASURES), value, user.encode(), timestamp=now_ms)
    if producer.flush(ACKNOWLEDGED_WITHIN_S):
        raise TimeoutError("the requests to forget users were not acknowledged in time")


async def _forgotten(field: Field, users: list[str], topics: tuple[str, ...]) -> None:
    deadline = monotonic() + FORGOTTEN_WITHIN_S
    while traces := await asyncio.to_thread(_traces, field, users, topics):
        if monotonic() > deadline:
            raise AssertionError(f"of erased users there is left: {traces[:10]}")
        await asyncio.sleep(1)


def _traces(field: Field, users: list[str], topics: tuple[str, ...]) -> list[str]:
    """Where something is left of the users; the deletion itself stays in a topic for another day."""
    found: list[str] = []
    for topic in topics:
        for rows in read_topic(field.broker.bootstrap, topic).values():
            values = [(row.key or b"") + row.value for row in rows if row.value is not None]
            found += [f"{user} in {topic}" for user in users if any(user.encode() in each for each in values)]
    for worker in field.fleet.workers.values():
        folder = Path(worker.environment["STREAMER_DATA_DIR"])
        left = files_with(folder, [user.encode() for user in users])
        found += [f"{user.decode()} in {file}" for file, user in left]
    return found


FAULTS = (Fault(Kind("users-erased", 2, (0, 0.5), "the kill of a worker meanwhile"), erase_users),)
