"""The broker killed and started again on the same data."""

from __future__ import annotations

import asyncio
from time import monotonic

from tests.faults.inject.field import Aftermath, Fault, Field
from tests.faults.schedule import Kind, Strike


async def kill_broker(field: Field, strike: Strike) -> Aftermath:
    """SIGKILL to the only broker; it comes back after a while."""
    field.broker.kill()
    await asyncio.sleep(strike.hold_s)
    await asyncio.to_thread(field.broker.start)
    return Aftermath(field.all_partitions, monotonic())


FAULTS = (Fault(Kind("broker-kill", 5, (0, 12), "the broker's first answer"), kill_broker),)
