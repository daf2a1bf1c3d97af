"""A batch's events sorted by user: as columns for whole arrays, and one user's for the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from streamer.core.engine.ragged import Ragged
from streamer.core.history.token import TOKEN_BYTES, as_array


class PartitionEvent(msgspec.Struct, frozen=True, gc=False):
    """A decoded event. ``record_ms``: when its record counts as written, epoch milliseconds."""

    offset: int
    record_ms: int
    user_id: str
    token: bytes


class UserEvent(NamedTuple):
    """An event of one user: ``record`` is the index of its record in the batch, ``offset`` its offset."""

    record: int
    offset: int
    token: bytes


class GroupedEvents:
    """User after user in the order of their first events, each user's events in offset order.

    ``user_ids``: of those who have any. ``users``: the events of each. ``records``, ``offsets``, ``tokens``
    ``[events]``: as in :class:`UserEvent`.
    """

    def __init__(self, events: Sequence[PartitionEvent]) -> None:
        numbers: dict[str, int] = {}
        users = np.array([numbers.setdefault(event.user_id, len(numbers)) for event in events], np.int64)
        self.user_ids = list(numbers)
        self.users = Ragged(np.bincount(users, minlength=len(numbers)))
        self.records = np.argsort(users, kind="stable")
        self.offsets = np.array([event.offset for event in events], np.int64)[self.records]
        self.tokens = as_array(b"".join([event.token for event in events]))[self.records]
        self._numbers = numbers

    def of(self, user_id: str, skipped: int = 0) -> list[UserEvent]:
        """A user's events but the first ``skipped``; none of a user who has none."""
        user = self._numbers.get(user_id)
        if user is None:
            return []
        start, count = int(self.users.starts[user]), int(self.users.counts[user])
        part = slice(start + skipped, start + count)
        packed = self.tokens[part].tobytes()
        tokens = (packed[at : at + TOKEN_BYTES] for at in range(0, len(packed), TOKEN_BYTES))
        return list(map(UserEvent, self.records[part].tolist(), self.offsets[part].tolist(), tokens))
