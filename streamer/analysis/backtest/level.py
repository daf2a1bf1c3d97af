"""How the whole shop fared, week by week, against which the alerts of each week are judged. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.judgement import WEEK_MS, Period
from streamer.core.insights.shortfall import ShopLevel

Floats = npt.NDArray[np.float64]

NO_LEVEL = ShopLevel(cap=math.inf, level=1.0)
"""Of a week in which nobody was active: there is nothing to judge against."""


class ShopWeeks(NamedTuple):
    """``levels``: of each week of the period, from its begin on, over the window after it.

    Asked are all customers with a usual who had acted within the active days before the week. ``lost``: the
    money that all of them together lost, each asked once, in the first week in which he is: the sum of those
    shortfalls, against the level and capped, that are above 0.
    """

    from_ms: int
    levels: Sequence[ShopLevel]
    lost: float

    @classmethod
    def of(cls, customers: Customers, period: Period, active_ms: int) -> Self:
        """The weeks that begin within the period, its end included."""
        levels: list[ShopLevel] = []
        seen = np.zeros(0, np.int64)
        lost = 0.0
        for begin_ms in range(period.from_ms, period.to_ms + 1, WEEK_MS):
            # What happens at the week's begin comes after it.
            users = customers.active_at(begin_ms - 1, active_ms)
            windows = customers.windows(users, np.full(len(users), begin_ms - 1))
            known = windows.usual.known & ~np.isnan(windows.spend)
            users, windows = users[known], windows.at(known)
            if not len(users):
                levels.append(NO_LEVEL)
                continue
            level = ShopLevel.of(windows.usual_spend, windows.spend)
            shortfall = level.shortfall(windows.usual_spend, windows.spend)
            lost += float(np.maximum(shortfall, 0.0)[~np.isin(users, seen)].sum())
            seen = np.union1d(seen, users)
            levels.append(level)
        return cls(period.from_ms, levels, lost)

    def shortfalls(self, moments_ms: npt.NDArray[np.int64], usual: Floats, actual: Floats) -> Floats:
        """Of usual and actual spend over the window after each moment, by its week, all ``[moments]``."""
        week = (moments_ms - self.from_ms) // WEEK_MS
        found = np.empty(len(usual))
        for number in np.unique(week).tolist():
            here = week == number
            found[here] = self.levels[number].shortfall(usual[here], actual[here])
        return found
