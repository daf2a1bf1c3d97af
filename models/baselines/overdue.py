"""How overdue customers are, as a risk: no model, only days since the last visit and the usual gap."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from streamer.core.history.aggregates import HALF_LIVES_DAYS
from streamer.core.history.usual import LEAST_TENURE_DAYS, LEAST_VISIT_DAYS, ShopMean
from streamer.core.insights.returns import returns_of
from streamer.core.model.features import FEATURES

Floats = npt.NDArray[np.float64]

_MONTH_DAYS: Final = 30.0
_DECAY_A_DAY: Final = math.log(2) / HALF_LIVES_DAYS[-1]


def overdue_of(features: npt.NDArray[np.float32], shop: ShopMean, churn_types: ChurnTypes) -> Floats:
    """Usual gaps since the last visit, ``[queries]``, of features ``[queries, len(FEATURES)]``.

    About that of :class:`~streamer.core.history.usual.Usual`, which knows the first visit's moment and not
    only the mean gap since then; 0 where nothing is usual.
    """
    returns = returns_of(features, churn_types)
    name = "usual_purchases" if churn_types == "purchase" else "usual_visits"
    own = np.expm1(features[:, FEATURES.index(name)].astype(np.float64)) / _MONTH_DAYS
    between = np.where(returns.days > 1, (returns.days - 1.0) * returns.gap, 0.0)
    tenure = np.maximum(between + 1.0, LEAST_TENURE_DAYS)
    counted = (1.0 - np.exp(-_DECAY_A_DAY * tenure)) / _DECAY_A_DAY
    strength = shop.visit_strength_days
    a_day = (own * counted + strength * shop.visit_days) / (counted + strength)
    with np.errstate(divide="ignore"):
        gap_days = np.maximum(1.0, 1.0 / a_day)
    return np.where(returns.days >= LEAST_VISIT_DAYS, returns.since / gap_days, 0.0)


class OverdueRisk:
    """Usual gaps since the last visit over one more than them: in their order, and below 1."""

    def __init__(self, shop: ShopMean, churn_types: ChurnTypes) -> None:
        self._shop = shop
        self._churn_types: ChurnTypes = churn_types

    def __call__(self, features: npt.NDArray[np.float32]) -> Floats:
        """Risk ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``; no probability of anything."""
        overdue = overdue_of(features, self._shop, self._churn_types)
        return overdue / (1.0 + overdue)
