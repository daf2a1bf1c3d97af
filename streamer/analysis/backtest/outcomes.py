"""What users really did: every event of the churn kind, by user."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

_FOREVER: Final = 1 << 62


class Silence(NamedTuple):
    """A user without an event of the churn kind from ``last_ms`` until before ``next_ms``, epoch ms."""

    user_id: str
    last_ms: int
    next_ms: int


class Outcomes:
    """Times of the events whose absence is churn. ``end_ms``: up to when the files tell, epoch ms."""

    def __init__(self, returns: Iterable[tuple[str, int]], end_ms: int) -> None:
        """``returns``: (user, epoch ms) of every event of the churn kind, in any order."""
        times: defaultdict[str, list[int]] = defaultdict(list)
        for user_id, time_ms in returns:
            times[user_id].append(time_ms)
        self._times = {user_id: sorted(each) for user_id, each in times.items()}
        self.end_ms = end_ms

    def silence_at(self, user_id: str, at_ms: int) -> Silence | None:
        """The silence that ``at_ms`` falls into; ``None`` before the user's first event of the kind.

        An event at ``at_ms`` itself begins it. What has no end within the files ends in the far future.
        """
        times = self._times.get(user_id, [])
        index = bisect_right(times, at_ms)
        if index == 0:
            return None
        return Silence(user_id, times[index - 1], times[index] if index < len(times) else _FOREVER)

    def departures(self, from_ms: int, to_ms: int, horizon_ms: int) -> set[Silence]:
        """The silences in which an alert within [``from_ms``, ``to_ms``] could have been right and in time.

        Right: no return within the horizon after it. In time: not a horizon or more after the last event.
        """
        found: set[Silence] = set()
        for silence in self._silences():
            first_ms = max(silence.last_ms, from_ms)
            latest_ms = min(silence.next_ms - horizon_ms - 1, silence.last_ms + horizon_ms - 1, to_ms)
            if first_ms <= latest_ms:
                found.add(silence)
        return found

    def _silences(self) -> Iterator[Silence]:
        for user_id, times in self._times.items():
            for last_ms, next_ms in pairwise([*times, _FOREVER]):
                yield Silence(user_id, last_ms, next_ms)
