"""What is usual in a shop, and how much of it a customer's own usual is joined with."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.examples import nobody_active
from models.data.histories import Histories, aggregates_at
from models.data.moments import cut_moments
from models.data.outcomes import spend_within, visits_within
from models.recipe import Task
from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.history.aggregates import COLUMN
from streamer.core.history.usual import LEAST_VISIT_DAYS, ShopMean, habit_of

STRENGTHS_DAYS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Days of the shop's mean that are tried, from trusting a customer's own history alone on."""

CUTS: Final = 8
_DECIMALS: Final = 6

Floats = npt.NDArray[np.float64]


def shop_mean_of(histories: Histories, task: Task, until_ms: int) -> ShopMean:
    """The mean, and the strengths with which the usual foretells the next window best.

    Asked at cuts whose windows lie before ``until_ms``. The deviance is that of a Poisson's mean, whatever
    the level of the season: the strength of a gamma prior (Fader, Hardie and Lee, "Counting Your Customers
    the Easy Way", 2005, have the same for purchase rates).

    Raises :class:`~schemas.errors.ConfigurationError` where nobody has a usual whose window is over, or was
    active by then.
    """
    last = until_ms - task.window_ms
    known = histories.before(until_ms)
    moments = cut_moments(
        known,
        np.linspace(last - task.window_ms, last, CUTS).astype(np.int64),
        task.recipe.longest_silence * DAY_MS,
    )
    if not len(moments.event):
        raise nobody_active()
    aggregates = aggregates_at(known, moments.event)
    days = aggregates[:, COLUMN["purchase_days" if task.churn_types == "purchase" else "visit_days"]]
    usual = days >= LEAST_VISIT_DAYS
    if not usual.any():
        raise ConfigurationError(
            f"nobody had come on {LEAST_VISIT_DAYS} days a --window before the end of the data, so nothing "
            "is usual: give a longer history, a shorter --window, or --definition absence"
        )
    habit = habit_of(aggregates[usual], task.churn_types)
    moments = moments._replace(event=moments.event[usual], time_ms=moments.time_ms[usual])
    visits = visits_within(known, moments, task.window_ms, task.churn_types).astype(np.float64)
    spend = np.maximum(np.nan_to_num(spend_within(known, moments, task.window_ms)), 0.0)
    window_days = task.window_ms / DAY_MS
    return ShopMean(
        *_fitted(habit.visits, habit.counted_days, visits / window_days),
        *_fitted(np.maximum(habit.spend, 0.0), habit.counted_days, spend / window_days),
    )


def _fitted(totals: Floats, days: Floats, following: Floats) -> tuple[float, float]:
    """Mean rate a day, and the strength in days."""
    mean = float(totals.sum() / days.sum())
    if mean <= 0.0 or following.sum() <= 0.0:
        return max(mean, 0.0), 0.0

    def deviance(strength: float) -> float:
        rates = (totals + strength * mean) / (days + strength)
        rates = np.maximum(rates * (following.sum() / rates.sum()), 1e-9)
        return float((rates - following * np.log(rates)).sum())

    return round(mean, _DECIMALS), min(STRENGTHS_DAYS, key=deviance)
