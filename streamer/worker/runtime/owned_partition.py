"""What a worker knows of one partition that it owns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from streamer.worker.runtime.inbox import Inbox
from streamer.worker.runtime.transactions import TransactionalWriter


@dataclass
class Source:
    """How far one topic of a partition has come."""

    # Records below it are in a committed transaction.
    next_offset: int
    # End of the newest batch that was put into the stream.
    handed_to: int = 0
    # Up to here every record has been handed to the stage's queue, and the end as of the last fetch.
    position: int | None = None
    highwater: int | None = None
    # Kafka timestamp of the last record read.
    newest_ms: int = -1

    def caught_up(self, done_to: int) -> bool:
        """Whether nothing is left once the stage is done with all below ``done_to``."""
        if self.position is None or self.highwater is None or done_to < self.handed_to:
            return False
        return max(self.position, done_to) >= self.highwater


@dataclass
class OwnedPartition:
    """One assigned event partition, with what other partitions forward to it.

    ``status``: its status as of the last owner's last transaction. ``work``: takes from the ``inbox`` while
    there is something in it.
    """

    writer: TransactionalWriter
    sources: dict[str, Source]
    status: str
    inbox: Inbox
    status_at: float | None = None
    open: bool = False
    touched_at: float = field(default_factory=monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    work: asyncio.Task[None] | None = None
    commit: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something was fetched, or came of a tick, that is not committed."""
        return bool(self.inbox) or self.lock.locked() or not (self.commit is None or self.commit.done())
