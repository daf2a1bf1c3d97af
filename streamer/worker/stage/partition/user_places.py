"""Where the users of partitions lie, and whether one partitioner alone can have put them there.

A shop may key its events with any partitioner, as long as everything that is sent is keyed with the same
one. Two of them send a user's records to two partitions, where each makes a state of its own half of them:
`streamer replay` and Java producers go by murmur2, librdkafka and all that is built on it by crc32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import log
from typing import Final
from zlib import crc32

import msgspec

from streamer.core.user_state import UserState
from streamer.worker.stage.partition.counters import Count
from streamer.worker.stage.repartition import partition_of

CHANCE: Final = 1e-4
"""What is less probable than this is taken for no chance."""


class UserPlaces(msgspec.Struct, omit_defaults=True):
    """How many users have a state, by which partitioners put their ids where it lies."""

    both: Count = 0
    murmur2: Count = 0
    crc32: Count = 0
    neither: Count = 0

    @property
    def users(self) -> int:
        """All of them."""
        return self.both + self.murmur2 + self.crc32 + self.neither

    @property
    def elsewhere(self) -> int:
        """Those whose state lies where murmur2 does not put them."""
        return self.crc32 + self.neither


class PlacesWatch:
    """Counts the users of ``partition``, one of ``partitions``; ``counted``: those of its table, if known."""

    def __init__(self, partition: int, partitions: int, counted: UserPlaces | None) -> None:
        self.places = counted or UserPlaces()
        self._partition = partition
        self._partitions = partitions
        self._counted = counted is not None

    def adopt(self, user_id: str) -> None:
        """Count a user of the table, unless the table's users are known."""
        if not self._counted:
            self._count(user_id, 1)

    def changed(self, states: Mapping[str, UserState | None], newcomers: Collection[str]) -> None:
        """Count who came and went with a batch: its users' states, and those of them who had none before."""
        for user_id in newcomers:
            if states.get(user_id) is not None:
                self._count(user_id, 1)
        for user_id, state in states.items():
            if state is None and user_id not in newcomers:
                self._count(user_id, -1)

    def _count(self, user_id: str, users: int) -> None:
        by_murmur2 = partition_of(user_id, self._partitions) == self._partition
        by_crc32 = crc32(user_id.encode()) % self._partitions == self._partition
        name = ("neither", "crc32", "murmur2", "both")[2 * by_murmur2 + by_crc32]
        setattr(self.places, name, getattr(self.places, name) + users)


def mixed(places: UserPlaces, partitions: int) -> bool:
    """Whether users lie as no single partitioner puts them.

    One that is neither murmur2 nor crc32 agrees with at least one of them only by chance: for
    ``1 - (1 - 1 / partitions) ** 2`` of the users. How probable it is that so many agree, or more, is
    bounded by Chernoff's inequality.
    """
    if not places.elsewhere or not places.murmur2 + places.neither:
        return False
    expected = 1 - (1 - 1 / partitions) ** 2
    agreeing = 1 - places.neither / places.users
    if agreeing <= expected:
        return False
    divergence = agreeing * log(agreeing / expected)
    if agreeing < 1:
        divergence += (1 - agreeing) * log((1 - agreeing) / (1 - expected))
    return places.users * divergence > -log(CHANCE)
