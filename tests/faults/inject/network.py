"""The network between a worker and the broker: cut, or slow."""

from __future__ import annotations

import asyncio
from time import monotonic

from tests.faults.inject.field import Aftermath, Fault, Field
from tests.faults.schedule import Kind, Strike

DELAY_S = 0.25


async def cut_network(field: Field, strike: Strike) -> Aftermath:
    """Nothing passes for a while, shorter or longer than the session; then the worker must be back."""
    worker = field.fleet.pick(strike.worker)
    partitions = await field.seated(worker)
    link = field.links[worker.name]
    since = monotonic()
    link.cut()
    try:
        await asyncio.sleep(strike.hold_s)
    finally:
        link.mend()
    recovery_s = await field.progress.recovery_s(partitions, since)
    await field.seated(worker)
    return Aftermath(partitions, since, recovery_s)


async def slow_network(field: Field, strike: Strike) -> Aftermath:
    """Every packet takes a quarter of a second each way for a while."""
    worker = field.fleet.pick(strike.worker)
    partitions = await field.seated(worker)
    link = field.links[worker.name]
    link.delay_s = DELAY_S
    try:
        await asyncio.sleep(strike.hold_s)
    finally:
        link.delay_s = 0.0
    return Aftermath(partitions, monotonic())


FAULTS = (
    Fault(Kind("network-cut", 5, (2, 14), "the moment of cutting"), cut_network),
    Fault(Kind("network-slow", 3, (4, 8), "its end"), slow_network),
)
