"""Faults inside a worker's process: its wall clock, the session of its model."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from tests.faults.fleet import Worker
from tests.faults.inject.field import Aftermath, Fault, Field, until
from tests.faults.schedule import Kind, Strike
from tests.faults.worker_process import CLOCK_SHIFT, LOST_SESSION

LOST_WITHIN_S = 60.0
LOST_AFTER_S = 15
DAY_S = 86_400


async def shift_clock(field: Field, strike: Strike) -> Aftermath:
    """A worker is started again with a wall clock that is days ahead or behind, and keeps it for a while."""
    worker = field.fleet.pick(strike.worker)
    direction = 1 if strike.worker % 2 else -1
    worker.environment[CLOCK_SHIFT] = str(direction * round(strike.hold_s * DAY_S))
    partitions = await _restarted(field, worker)
    since = monotonic()
    recovery_s = await field.progress.recovery_s(partitions, since)
    await asyncio.sleep(strike.hold_s)
    del worker.environment[CLOCK_SHIFT]
    await _restarted(field, worker)
    return Aftermath(partitions, since, recovery_s)


async def lose_session(field: Field, strike: Strike) -> Aftermath:
    """From some moment on every run of the model fails, as on a GPU that has fallen off the bus."""
    worker = field.fleet.pick(strike.worker)
    worker.environment[LOST_SESSION] = str(LOST_AFTER_S)
    await _restarted(field, worker)
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    del worker.environment[LOST_SESSION]
    await until(lambda: len(worker.exits) > ended_before, f"{worker.name} to lose its session", LOST_WITHIN_S)
    return Aftermath(partitions, worker.exits[-1][0])


async def _restarted(field: Field, worker: Worker) -> tuple[int, ...]:
    """End a worker in order, so that the supervisor starts it with its new environment."""
    partitions, ended_before = await field.seated(worker), len(worker.exits)
    worker.signal(signal.SIGTERM)
    await until(lambda: len(worker.exits) > ended_before, f"the end of {worker.name} after SIGTERM")
    return partitions


FAULTS = (
    Fault(Kind("clock-wrong", 3, (1, 4), "the worker's end before it"), shift_clock),
    Fault(Kind("session-lost", 2, (0, 0), "the worker's end"), lose_session),
)
