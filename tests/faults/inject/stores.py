"""A worker's local store: no room left, damaged, deleted; and its changelog compacted meanwhile."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from pathlib import Path
from time import monotonic

from tests.faults.fleet import Worker
from tests.faults.inject.field import Aftermath, Fault, Field, until
from tests.faults.inject.topics import compact
from tests.faults.schedule import Kind, Strike

NOTICED_WITHIN_S = 60.0


async def fill_disk(field: Field, strike: Strike) -> Aftermath:
    """A worker is killed, and finds no room for its store when it starts again, until there is some."""
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    with field.disks[worker.name].full():
        worker.signal(signal.SIGKILL)
        # What the table holds in memory needs no disk; a store that is opened anew does.
        await until(
            lambda: 1 in [status for _, status in worker.exits[ended_before:]],
            f"{worker.name} to fail without disk",
            NOTICED_WITHIN_S,
        )
        await asyncio.sleep(strike.hold_s)
    return Aftermath(partitions, monotonic())


async def damage_store(field: Field, strike: Strike) -> Aftermath:
    """Files of a killed worker's store are overwritten in places, or all of them are deleted."""
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    since = monotonic()
    await _killed(worker, ended_before)
    store = Path(worker.environment["STREAMER_DATA_DIR"])
    draw = random.Random(strike.number)
    if draw.random() < 0.5:
        _delete(store)
    else:
        _overwrite(store, draw)
    worker.wanted = True
    return Aftermath(partitions, since)


async def compact_changelog(field: Field, strike: Strike) -> Aftermath:
    """The changelog is compacted under the workers' hands; then one recovers from what is left of it."""
    before, after = await compact(field, field.changelog, strike.hold_s)
    if after >= before:
        raise AssertionError(f"nothing was compacted: {before} records before, {after} after")
    worker = field.fleet.pick(strike.worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    since = monotonic()
    await _killed(worker, ended_before)
    _delete(Path(worker.environment["STREAMER_DATA_DIR"]))
    worker.wanted = True
    return Aftermath(partitions, since)


async def _killed(worker: Worker, ended_before: int) -> None:
    """Kill the worker and keep the supervisor from starting it."""
    worker.wanted = False
    worker.signal(signal.SIGKILL)
    await until(lambda: len(worker.exits) > ended_before, f"the end of the killed {worker.name}")


def _delete(store: Path) -> None:
    for each in store.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()


def _overwrite(store: Path, draw: random.Random) -> None:
    """Random bytes in the middle of every file that a database needs."""
    for file in sorted(store.rglob("*")):
        if file.is_file() and file.stat().st_size > 0 and file.suffix != ".log" and file.name != "LOCK":
            with file.open("r+b") as damaged:
                damaged.seek(draw.randrange(file.stat().st_size))
                damaged.write(draw.randbytes(64))


FAULTS = (
    Fault(Kind("disk-full", 2, (0, 4), "there being room again"), fill_disk),
    Fault(Kind("store-damaged", 2, (0, 0), "the worker's kill"), damage_store),
    Fault(Kind("changelog-compacted", 2, (1, 3), "the worker's kill"), compact_changelog),
)
