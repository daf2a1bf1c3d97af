"""Whose turn it is: the user of each event of a workload. The same seed gives the same order."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from streamer.bench.input.sizes import WorkloadName

BURST: Final = 8
"""Events of a user in a row of ``session``."""

Users = npt.NDArray[np.int64]


class Order(Protocol):
    """An endless sequence of user numbers."""

    def next(self, count: int) -> Users:
        """The next ``count`` of them."""
        ...


class Drawn:
    """Each event is any user's, all alike likely."""

    def __init__(self, users: int, rng: np.random.Generator) -> None:
        self._users = users
        self._rng = rng

    def next(self, count: int) -> Users:
        """Drawn with replacement."""
        return self._rng.integers(self._users, size=count)


class Bursts:
    """User after user, in a mixed order that repeats itself: ``burst`` events of each.

    ``at_once`` users are in their burst together, and their events come in any order.
    """

    def __init__(self, users: int, burst: int, at_once: int, rng: np.random.Generator) -> None:
        self._mixed = rng.permutation(users)
        self._burst = burst
        self._at_once = min(at_once, users)
        self._rng = rng
        self._begun = 0
        self._left = np.empty(0, np.int64)

    def next(self, count: int) -> Users:
        """A burst that does not end within ``count`` goes on in the next call."""
        parts, there = [self._left], len(self._left)
        while there < count:
            places = (self._begun + np.arange(self._at_once)) % len(self._mixed)
            self._begun += self._at_once
            parts.append(self._rng.permutation(np.repeat(self._mixed[places], self._burst)))
            there += len(parts[-1])
        joined = np.concatenate(parts)
        self._left = joined[count:]
        return joined[:count]


def order_of(workload: WorkloadName, users: int, at_once: int, seed: int) -> Order:
    """The order of a workload's events over ``users`` users."""
    rng = np.random.default_rng(seed)
    if workload == "hot":
        return Drawn(users, rng)
    return Bursts(users, BURST if workload == "session" else 1, at_once, rng)
