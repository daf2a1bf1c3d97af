"""What the households really did: every purchase of the file that is replayed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from operator import attrgetter
from statistics import median
from typing import Final, NamedTuple

from schemas.units import DAY_MS

LEAST_SHOPPING_DAYS: Final = 3
"""Shopping days from which a usual pace can be told."""


class Purchase(NamedTuple):
    """When, in epoch milliseconds, and for how much."""

    time_ms: int
    amount: float


_time = attrgetter("time_ms")


class Households:
    """Purchases by user. The worker never sees this; outcomes come from it.

    Days are UTC's, like those of the demo's data and bundle.
    """

    def __init__(self) -> None:
        self._purchases: dict[str, list[Purchase]] = {}
        self._sorted = True
        self.events = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def note(self, user_id: str, time_ms: int, amount: float = 0.0) -> None:
        """Take one purchase in; any order."""
        known = self._purchases.setdefault(user_id, [])
        if known and known[-1].time_ms > time_ms:
            self._sorted = False
        known.append(Purchase(time_ms, amount))
        self.events += 1
        self.first_ms = time_ms if self.first_ms is None else min(self.first_ms, time_ms)
        self.last_ms = time_ms if self.last_ms is None else max(self.last_ms, time_ms)

    def purchases(self, user_id: str, until_ms: int) -> list[int]:
        """Times of the user's purchases at or before ``until_ms``, ascending."""
        known = self._of(user_id)
        return [purchase.time_ms for purchase in known[: bisect_right(known, until_ms, key=_time)]]

    def next_purchase(self, user_id: str, after_ms: int) -> int | None:
        """The first purchase later than ``after_ms``."""
        known = self._of(user_id)
        index = bisect_right(known, after_ms, key=_time)
        return known[index].time_ms if index < len(known) else None

    def purchase_within(self, user_id: str, from_ms: int, until_ms: int) -> bool:
        """Whether the user bought in [``from_ms``, ``until_ms``)."""
        known = self._of(user_id)
        index = bisect_left(known, from_ms, key=_time)
        return index < len(known) and known[index].time_ms < until_ms

    def usual_gap_days(self, user_id: str, until_ms: int) -> float | None:
        """Median days between shopping days up to ``until_ms``; ``None`` where there are too few to tell."""
        days = sorted({time // DAY_MS for time in self.purchases(user_id, until_ms)})
        if len(days) < LEAST_SHOPPING_DAYS:
            return None
        return float(median(after - before for before, after in pairwise(days)))

    def spent(self, user_id: str, after_ms: int, until_ms: int) -> float:
        """What the user spent later than ``after_ms``, until ``until_ms``."""
        return sum(purchase.amount for purchase in self._between(user_id, after_ms, until_ms))

    def visit_days(self, user_id: str, after_ms: int, until_ms: int) -> int:
        """Days whose first purchase is later than ``after_ms`` and not later than ``until_ms``."""
        days = {purchase.time_ms // DAY_MS for purchase in self._between(user_id, after_ms, until_ms)}
        begun = self.purchase_within(user_id, after_ms // DAY_MS * DAY_MS, after_ms + 1)
        return len(days - {after_ms // DAY_MS} if begun else days)

    def _between(self, user_id: str, after_ms: int, until_ms: int) -> list[Purchase]:
        known = self._of(user_id)
        return known[bisect_right(known, after_ms, key=_time) : bisect_right(known, until_ms, key=_time)]

    def _of(self, user_id: str) -> list[Purchase]:
        if not self._sorted:
            for known in self._purchases.values():
                known.sort()
            self._sorted = True
        return self._purchases.get(user_id, [])
