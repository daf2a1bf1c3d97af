"""What is usual for a customer: own visit days and spend a day, as of the last visit.

A visit is a day with an event of the churn kind. Both rates are decayed sums over the time that they still
count, shrunk to the shop's mean as a gamma prior does it: a good first month is no habit yet. Neither silence
nor clicks change them, since they are as of the last visit.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from schemas.units import DAY_MS
from streamer.core.history.aggregates import COLUMN, HALF_LIVES_DAYS, Aggregates

Floats = npt.NDArray[np.float64]

LEAST_VISIT_DAYS: Final = 4
"""Distinct visit days from which anything is usual."""

DECLINE_SHARE: Final = 0.5
"""Of the usual visit days: who comes on fewer within the window declines."""

LEAST_TENURE_DAYS: Final = 28.0
"""Of which a customer's history counts at least, however short it is."""

_DECAY_A_DAY: Final = math.log(2) / HALF_LIVES_DAYS[-1]


class ShopMean(NamedTuple):
    """What customers of the shop do a day, and how many days of it each one's own history is joined with."""

    visit_days: float
    visit_strength_days: float
    spend: float
    spend_strength_days: float


class Usual(NamedTuple):
    """Each of the shape of the rows asked about; NaN where nothing is usual yet.

    ``visit_days`` and ``spend`` a day; ``gap_days`` between two visits, a day at least; ``last_visit_ms``,
    epoch milliseconds.
    """

    visit_days: Floats
    spend: Floats
    gap_days: Floats
    last_visit_ms: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Whether anything is usual."""
        return ~np.isnan(self.visit_days)

    def overdue(self, now_ms: Floats | float) -> Floats:
        """Usual gaps since the last visit, at ``now_ms`` (epoch ms)."""
        return (now_ms - self.last_visit_ms) / DAY_MS / self.gap_days

    def overdue_from_ms(self, least: float) -> Floats:
        """From when on that is at least ``least``, epoch milliseconds, as :func:`overdue_from_ms` has it."""
        return self.last_visit_ms + np.ceil(least * self.gap_days * DAY_MS)


def overdue_from_ms(last_visit_ms: int, gap_days: float, least: float) -> int:
    """From when on ``least`` usual gaps have passed since the last visit, epoch milliseconds.

    >>> overdue_from_ms(0, gap_days=2.0, least=1.5) / DAY_MS
    3.0
    """
    return last_visit_ms + math.ceil(least * gap_days * DAY_MS)


class Habit(NamedTuple):
    """Of a customer alone, whatever the shop's mean. ``counted_days``: what the decayed sums are sums over.

    ``visits`` and ``spend``: the sums, as of the last visit at ``last_visit_ms`` (NaN before the first).
    """

    visits: Floats
    spend: Floats
    counted_days: Floats
    last_visit_ms: Floats


def usual_of(rows: Aggregates, shop: ShopMean, churn_types: ChurnTypes) -> Usual:
    """Of the users whose aggregates are ``rows`` ``[..., columns]``: one row, or many."""
    habit = habit_of(rows, churn_types)
    days = rows[..., COLUMN["purchase_days" if churn_types == "purchase" else "visit_days"]]
    known = days >= LEAST_VISIT_DAYS
    visits = _shrunk(habit.visits, habit.counted_days, shop.visit_days, shop.visit_strength_days)
    spend = _shrunk(habit.spend, habit.counted_days, shop.spend, shop.spend_strength_days)
    visits = np.where(known, visits, np.nan)
    return Usual(
        visits,
        np.where(known, np.maximum(spend, 0.0), np.nan),
        np.maximum(1.0, 1.0 / visits),
        habit.last_visit_ms,
    )


def habit_of(rows: Aggregates, churn_types: ChurnTypes) -> Habit:
    """Of the users whose aggregates are ``rows`` ``[..., columns]``, as of their last action."""
    purchases = churn_types == "purchase"
    first = rows[..., COLUMN["first_purchase_time" if purchases else "first_time"]]
    last = rows[..., COLUMN["last_purchase_time" if purchases else "last_time"]]
    # Who has no first purchase may have a last one here: drivers join parts of two customers.
    between = np.where(np.isnan(first), 0.0, (last - first) / DAY_MS)
    tenure = np.maximum(between + 1.0, LEAST_TENURE_DAYS)
    # What came after the last visit has faded the sums, which are as of the last action.
    unfaded = np.exp(_DECAY_A_DAY * (rows[..., COLUMN["last_time"]] - last) / DAY_MS)
    return Habit(
        rows[..., COLUMN["purchases_90d" if purchases else "visits_90d"]] * unfaded,
        rows[..., COLUMN["value_90d"]] * unfaded,
        (1.0 - np.exp(-_DECAY_A_DAY * tenure)) / _DECAY_A_DAY,
        last,
    )


def _shrunk(total: Floats, days: Floats, mean: float, strength_days: float) -> Floats:
    return (total + strength_days * mean) / (days + strength_days)
