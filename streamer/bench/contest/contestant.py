"""One of those compared: a process, its topics, and how to see what it has done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal

import msgspec

from schemas.topics import EVENTS, SCORES, with_prefix
from streamer.bench.contest.failure import BenchError
from streamer.bench.contest.observer import Observer
from streamer.bench.input.order import Order
from streamer.bench.input.shop import Till
from streamer.bench.input.sizes import PeerName
from streamer.bench.peers.job import PeerOptions
from streamer.kafka.topics import changelog_topic
from streamer.processes.child import ChildProcess, child_environment
from streamer.settings.settings import Settings

PATIENCE_S = 60.0
"""How long nothing may happen. A table of a million users takes longer to be there: ``READY_DEADLINE_S``."""

READY_DEADLINE_S = 900.0
POLL_S = 0.02

_MODULES: dict[PeerName, str] = {
    "faust": "streamer.bench.peers.faust_agent",
    "quix": "streamer.bench.peers.quix",
    "aiokafka_full": "streamer.bench.peers.aiokafka_loop",
}


@dataclass
class Contestant:
    """``done_by``: what tells how many events are done; whoever commits rarely shows scores before.

    ``users``: how many have a past. ``primed``: records that went before the first event.
    """

    name: str
    settings: Settings
    process: ChildProcess
    order: Order
    till: Till
    events: int
    users: int
    done_by: Literal["commits", "scores"]
    primed: int = 0
    published: int = field(default=0, init=False)

    @property
    def events_topic(self) -> str:
        """What it consumes."""
        return with_prefix(self.settings.topic_prefix, EVENTS)

    @property
    def scores_topic(self) -> str:
        """What it writes."""
        return with_prefix(self.settings.topic_prefix, SCORES)

    async def done(self, observer: Observer) -> int:
        """Events whose effects can be read."""
        if self.done_by == "scores":
            return await observer.ends_sum(self.scores_topic, self.settings.partitions)
        group = self.settings.group_id
        return await observer.committed_sum(group, self.events_topic) - self.primed

    async def until_done(self, observer: Observer, count: int) -> None:
        """Wait until ``count`` events are done. Raises :class:`BenchError` when nothing happens any more."""
        await self._until(lambda: self.done(observer), count, "events done")

    async def until_committed(self, observer: Observer, count: int) -> None:
        """Wait until the offsets of ``count`` records are committed; raises as :meth:`until_done`."""
        group, topic = self.settings.group_id, self.events_topic
        await self._until(lambda: observer.committed_sum(group, topic), count, "records committed")

    async def until_ready(self, observer: Observer) -> None:
        """Wait until a worker has spoken for every partition, which it does once its table is there."""

        async def spoken_for() -> int:
            return len(await observer.committed(self.settings.group_id, self.events_topic))

        await self._until(spoken_for, self.settings.partitions, "partitions ready", READY_DEADLINE_S)

    async def _until(
        self, count: Callable[[], Awaitable[int]], wanted: int, what: str, patience_s: float = PATIENCE_S
    ) -> None:
        progress = Progress(self.name, wanted, what, patience_s)
        while not progress.is_over(await count()):  # noqa: ASYNC110 - a broker does not call back
            await asyncio.sleep(POLL_S)


class Progress:
    """Counts up to ``wanted``, and loses patience where nothing happens for ``patience_s`` seconds."""

    def __init__(self, who: str, wanted: int, what: str, patience_s: float = PATIENCE_S) -> None:
        self._who = who
        self._wanted = wanted
        self._what = what
        self._patience_s = patience_s
        self._count = -1
        self._moved_at = monotonic()

    def is_over(self, count: int) -> bool:
        """Whether all is done. Raises :class:`BenchError`."""
        if count != self._count:
            self._count, self._moved_at = count, monotonic()
        if count < self._wanted and monotonic() - self._moved_at > self._patience_s:
            raise BenchError(
                f"the {self._who} came to {count:,} of {self._wanted:,} {self._what} and no further"
            )
        return count >= self._wanted


def peer_process(name: PeerName, settings: Settings, directory: Path, bundle: Path) -> ChildProcess:
    """The peer called ``name`` on the topics of ``settings``."""
    options = PeerOptions(
        bootstrap=settings.bootstrap,
        group=settings.group_id,
        events_topic=with_prefix(settings.topic_prefix, EVENTS),
        scores_topic=with_prefix(settings.topic_prefix, SCORES),
        changelog_topic=changelog_topic(settings.group_id),
        partitions=settings.partitions,
        bundle=str(bundle),
        directory=str(settings.data_dir),
    )
    arguments = ("-m", _MODULES[name], msgspec.json.encode(options).decode())
    return ChildProcess(name, arguments, directory, child_environment(directory))
