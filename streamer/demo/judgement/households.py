"""What the households really did: every purchase of the file that is replayed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import median

from schemas.units import DAY_MS

LEAST_SHOPPING_DAYS = 3
"""Shopping days from which a usual pace can be told."""


class Households:
    """Purchases by user, times in epoch milliseconds. The worker never sees this; outcomes come from it.

    Days are UTC's, like those of the demo's data and bundle.
    """

    def __init__(self) -> None:
        self._purchases: dict[str, list[int]] = {}
        self._sorted = True
        self.events = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def note(self, user_id: str, time_ms: int) -> None:
        """Take one purchase in; any order."""
        times = self._purchases.setdefault(user_id, [])
        if times and times[-1] > time_ms:
            self._sorted = False
        times.append(time_ms)
        self.events += 1
        self.first_ms = time_ms if self.first_ms is None else min(self.first_ms, time_ms)
        self.last_ms = time_ms if self.last_ms is None else max(self.last_ms, time_ms)

    def purchases(self, user_id: str, until_ms: int) -> list[int]:
        """The user's purchases at or before ``until_ms``, ascending."""
        times = self._times(user_id)
        return times[: bisect_right(times, until_ms)]

    def next_purchase(self, user_id: str, after_ms: int) -> int | None:
        """The first purchase later than ``after_ms``."""
        times = self._times(user_id)
        index = bisect_right(times, after_ms)
        return times[index] if index < len(times) else None

    def purchase_within(self, user_id: str, from_ms: int, until_ms: int) -> bool:
        """Whether the user bought in [``from_ms``, ``until_ms``)."""
        times = self._times(user_id)
        index = bisect_left(times, from_ms)
        return index < len(times) and times[index] < until_ms

    def usual_gap_days(self, user_id: str, until_ms: int) -> float | None:
        """Median days between shopping days up to ``until_ms``; ``None`` where there are too few to tell."""
        days = sorted({time // DAY_MS for time in self.purchases(user_id, until_ms)})
        if len(days) < LEAST_SHOPPING_DAYS:
            return None
        return float(median(after - before for before, after in pairwise(days)))

    def _times(self, user_id: str) -> list[int]:
        if not self._sorted:
            for times in self._purchases.values():
                times.sort()
            self._sorted = True
        return self._purchases.get(user_id, [])
