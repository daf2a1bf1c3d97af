"""Where faults strike: one shop with its broker, its workers and what is known of their progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from streamer.broker import LocalBroker
from tests.faults.fleet import Fleet, Worker
from tests.faults.progress import Progress
from tests.faults.reading import Rows
from tests.faults.reference import Exchange
from tests.faults.schedule import Kind, Strike
from tests.integration.shop import Shop


@dataclass
class Field:
    """``exchanges``: models taken up so far. ``earlier``: what topics held that were deleted since."""

    shop: Shop
    broker: LocalBroker
    fleet: Fleet
    progress: Progress
    directory: Path
    partitions: int
    exchanges: list[Exchange] = field(default_factory=list)
    earlier: dict[str, Rows] = field(default_factory=dict)
    renewed_at: dict[str, float] = field(default_factory=dict)

    @property
    def all_partitions(self) -> tuple[int, ...]:
        return tuple(range(self.partitions))

    async def owned_by(self, worker: Worker) -> tuple[int, ...]:
        """The worker's partitions; all of them while they are being shared out."""
        owners = await self.progress.owners()
        return owners.get(self.shop.instance_id(worker.name)) or self.all_partitions


class Aftermath(NamedTuple):
    """What a fault has held up, and the moment (monotonic seconds) from which its recovery counts.

    ``recovery_s``: where the fault itself has measured it.
    """

    partitions: tuple[int, ...]
    since: float
    recovery_s: float | None = None


Inject = Callable[[Field, Strike], Awaitable[Aftermath]]


class Fault(NamedTuple):
    """A kind of fault and how it is brought about."""

    kind: Kind
    inject: Inject


async def until(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    """Wait for ``condition``; raises ``TimeoutError`` that names what was waited for."""
    deadline = monotonic() + deadline_s
    while not condition():
        if monotonic() > deadline:
            raise TimeoutError(f"waited {deadline_s:g} s for {what}")
        await asyncio.sleep(0.05)
