"""Wait until the workers of a deployment have read everything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from streamer.operations.deployment import Deployment

LOOK_EVERY_S: Final = 2.0


async def until_read(
    look: Callable[[], Awaitable[Deployment]], deadline_s: float, report: Callable[[Deployment], None]
) -> Deployment:
    """The first view in which the workers have caught up, or the last one within ``deadline_s`` seconds.

    ``report`` gets each view before it. Topics that are missing or do not fit end the wait, because no worker
    starts then.
    """
    ends_at = monotonic() + deadline_s
    while True:
        deployment = await look()
        if deployment.topic_problems or _caught_up(deployment):
            return deployment
        report(deployment)
        if monotonic() + LOOK_EVERY_S > ends_at:
            return deployment
        await asyncio.sleep(LOOK_EVERY_S)


def left_in(deployment: Deployment) -> int:
    """Records left to read in all partitions."""
    return sum(view.left for view in deployment.partitions)


def _caught_up(deployment: Deployment) -> bool:
    """Whether everything has been read, and no partition that has just been so still takes itself to lag."""
    held = any(view.status is not None and view.status.held for view in deployment.partitions)
    return not left_in(deployment) and not (deployment.workers and held)
