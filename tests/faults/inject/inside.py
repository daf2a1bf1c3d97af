"""Faults inside a worker's process: its wall clock, the session of its model, the bundle that it loads."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path
from time import monotonic

import msgspec

from schemas.bundle import MANIFEST_NAME
from tests.bundles import DEMO_BUNDLE
from tests.faults.fleet import Worker
from tests.faults.inject.field import Aftermath, Fault, Field, until
from tests.faults.reference import Exchange
from tests.faults.schedule import Kind, Strike
from tests.faults.worker_process import CLOCK_SHIFT, LOST_SESSION

LOST_WITHIN_S = 60.0
RUNS_BEFORE_LOSS = 200
DAY_S = 86_400


async def shift_clock(field: Field, strike: Strike) -> Aftermath:
    """A worker is started again with a wall clock that is days ahead or behind, and keeps it for a while."""
    worker = field.fleet.pick(strike.worker)
    direction = 1 if strike.number % 2 else -1
    worker.environment[CLOCK_SHIFT] = str(direction * round(strike.hold_s * DAY_S))
    partitions = await _restarted(field, worker)
    since = monotonic()
    recovery_s = await field.progress.recovery_s(partitions, since)
    await asyncio.sleep(strike.hold_s)
    del worker.environment[CLOCK_SHIFT]
    await _restarted(field, worker)
    return Aftermath(partitions, since, recovery_s)


async def lose_session(field: Field, strike: Strike) -> Aftermath:
    """A run of the model fails as one on a GPU that has fallen off the bus does."""
    worker = field.fleet.pick(strike.worker)
    worker.environment[LOST_SESSION] = str(RUNS_BEFORE_LOSS)
    partitions = await _restarted(field, worker)
    await until(lambda: worker.process is not None, f"{worker.name} to start again")
    del worker.environment[LOST_SESSION]
    ended_before = len(worker.exits)
    await until(lambda: len(worker.exits) > ended_before, f"{worker.name} to lose its session", LOST_WITHIN_S)
    return Aftermath(partitions, worker.exits[-1][0])


async def exchange_bundle(field: Field, strike: Strike) -> Aftermath:
    """All workers end, and start again with another model; the load goes on meanwhile."""
    bundle = _renamed(field.directory / f"bundle-{strike.number}", f"exchanged.{strike.number}")
    for worker in field.fleet.workers.values():
        await field.seated(worker)
    for worker in field.fleet.workers.values():
        status = await field.fleet.stop(worker)
        if status != 0:
            raise AssertionError(f"{worker.name} ended with status {status} after SIGTERM")
    offsets = await asyncio.to_thread(field.progress.committed)
    assert offsets is not None, "the broker does not say what is committed"
    field.exchanges.append(Exchange(offsets, bundle))
    field.shop.environment["STREAMER_BUNDLE"] = str(bundle)
    since = monotonic()
    for worker in field.fleet.workers.values():
        worker.wanted = True
    return Aftermath(field.all_partitions, since)


async def _restarted(field: Field, worker: Worker) -> tuple[int, ...]:
    """End a worker in order, so that the supervisor starts it with its new environment."""
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    worker.signal(signal.SIGTERM)
    await until(lambda: len(worker.exits) > ended_before, f"the end of {worker.name} after SIGTERM")
    return partitions


def _renamed(bundle: Path, version: str) -> Path:
    """The demo's bundle under another version: another model as far as states and messages know."""
    shutil.copytree(DEMO_BUNDLE, bundle)
    manifest = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())
    manifest["version"] = version
    (bundle / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))
    return bundle


FAULTS = (
    Fault(Kind("clock-wrong", 3, (1, 4), "the worker's end before it"), shift_clock),
    Fault(Kind("session-lost", 2, (0, 0), "the worker's end"), lose_session),
    Fault(Kind("bundle-exchanged", 2, (0, 0), "the last worker's end"), exchange_bundle),
)
