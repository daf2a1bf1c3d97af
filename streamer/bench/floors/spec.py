"""What a floor's process is told, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import msgspec

FloorName = Literal["consume", "step", "transaction"]
FLOORS: tuple[FloorName, ...] = get_args(FloorName)


class Pooled(msgspec.Struct, frozen=True, array_like=True):
    """One user's records of a transaction: key, stored state, score."""

    key: bytes
    state: bytes
    score: bytes


class FloorSpec(msgspec.Struct, frozen=True):
    """``events``: how many to do it for. ``topic``: the backlog that was scored.

    ``arena_users``: slots among which steps choose. ``pool``: file of :class:`Pooled` users.
    ``events_per_transaction``, ``users_per_transaction``: as they were in the worker's transactions.
    ``prefix``: of topics that the transactions may write. ``answer``: the file to write.
    """

    floor: FloorName
    bootstrap: str
    partitions: int
    events: int
    topic: str
    arena_users: int
    bundle: str
    pool: str
    events_per_transaction: float
    users_per_transaction: float
    prefix: str
    answer: str


class Spent(msgspec.Struct):
    """Seconds of processor time for so many events, the process's start left out."""

    events: int = 0
    cpu_s: float = 0.0


@contextmanager
def spending() -> Iterator[Spent]:
    """Measures the processor time of a block, all threads together."""
    spent, before = Spent(), time.process_time()
    yield spent
    spent.cpu_s = time.process_time() - before
