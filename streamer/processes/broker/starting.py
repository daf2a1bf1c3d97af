"""Starting a broker from asyncio code that may be cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamer.processes.broker.process import LocalBroker


async def start_in_thread(broker: LocalBroker, cancelled: Callable[[], None]) -> None:
    """Start ``broker`` in a thread; when cancelled, end what has been started and wait for the thread.

    ``cancelled`` is called first then: whoever fetches jars meanwhile can be made to stop.
    """
    starting = asyncio.create_task(asyncio.to_thread(broker.start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        cancelled()
        while not starting.done():
            broker.kill()
            await asyncio.wait([starting], timeout=0.1)
        if not starting.cancelled():
            starting.exception()
        raise
