"""Where faults strike: one shop with its broker, its workers and what is known of their progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol

from streamer.kafka.topics import changelog_topic
from streamer.processes.broker import LocalBroker
from tests.faults.fleet import Fleet, Worker
from tests.faults.link import Link
from tests.faults.progress import Progress
from tests.faults.reading import Rows
from tests.faults.reference import Exchange
from tests.faults.schedule import Kind, Strike
from tests.faults.small_disk import SmallDisk
from tests.integration.shop import Shop

SEATED_WITHIN_S = 60.0
# What the worker's log says once it owns its partitions, and once it works on them.
TAKEN_OVER = "partitions taken over"
READY = "Worker ready"


class Crowd(Protocol):
    """Those who send the load's events."""

    def silent(self) -> Sequence[str]:
        """Users of whom no event will come any more, longest silent first."""
        ...

    def now_ms(self) -> int:
        """The load's present, epoch milliseconds."""
        ...


@dataclass
class Field:
    """``links`` and ``disks``: the network and the disk of each worker that stays.

    ``erased``: users who asked to be forgotten. ``exchanges``: models taken up so far. ``earlier``: what
    topics of the contract held that were deleted, ``renewed_at``: when the last of them was back (monotonic
    seconds).
    """

    shop: Shop
    broker: LocalBroker
    fleet: Fleet
    progress: Progress
    directory: Path
    partitions: int
    crowd: Crowd
    links: dict[str, Link] = field(default_factory=dict)
    disks: dict[str, SmallDisk] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    exchanges: list[Exchange] = field(default_factory=list)
    earlier: dict[str, Rows] = field(default_factory=dict)
    renewed_at: dict[str, float] = field(default_factory=dict)

    @property
    def all_partitions(self) -> tuple[int, ...]:
        return tuple(range(self.partitions))

    async def seated(self, worker: Worker) -> tuple[int, ...]:
        """Wait until the worker has partitions; raises ``TimeoutError`` when it gets none in time."""
        deadline = monotonic() + SEATED_WITHIN_S
        while monotonic() < deadline:
            # The group names a static member with its partitions also while its process is starting anew.
            if READY in self.fleet.said_since_start(worker):
                owners = await self.progress.owners()
                if owned := owners.get(self.shop.instance_id(worker.name)):
                    return owned
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{worker.name} has no partition after {SEATED_WITHIN_S:g} s")

    @property
    def changelog(self) -> str:
        """The topic behind the workers' table."""
        return changelog_topic(self.shop.settings.group_id)

    def keep(self, topic: str, rows: Rows) -> None:
        """Remember what a topic held that is no more."""
        earlier = self.earlier.setdefault(topic, {partition: [] for partition in rows})
        for partition, records in rows.items():
            earlier[partition] += records


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
