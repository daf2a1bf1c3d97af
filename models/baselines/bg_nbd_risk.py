"""BG/NBD as a risk: who is expected to buy least within the horizon comes first.

Its own probability of being alive is 1 for everyone who bought once, and would rank them as the safest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.baselines.bg_nbd import BgNbd, Purchases, fit_bg_nbd
from models.data.examples import Examples
from models.fit.calibration import fit_platt
from models.recipe import Task
from schemas.bundle.manifest import ChurnTypes
from schemas.units import DAY_MS
from streamer.core.insights.returns import returns_of

_DAYS_A_WEEK: Final = 7.0


class BgNbdRisk:
    """Risk as a logistic function of the log of the purchases expected within the horizon.

    ``everyone``: features ``[users, len(FEATURES)]`` of all users at one moment, to which the model is
    fitted; ``examples``: of known outcome, to which the logistic function is. Purchases of one day count as
    one. A user who never bought counts as one whose first purchase was the first event. Where any event is
    a sign of life, days with events take the place of purchases.
    """

    def __init__(self, everyone: npt.NDArray[np.float32], examples: Examples, task: Task) -> None:
        self._churn_types: ChurnTypes = task.churn_types
        self._weeks = task.horizon_ms / DAY_MS / _DAYS_A_WEEK
        self.model: BgNbd = fit_bg_nbd(self._purchases(everyone))
        known = ~np.isnan(examples.churned)
        self._platt = fit_platt(self._fewness(examples.features[known]), examples.churned[known])

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Risk ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``."""
        return self._platt.probability(self._fewness(features))

    def _fewness(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        expected = self.model.expected_purchases(self._purchases(features), self._weeks)
        return -np.log(np.maximum(expected, 1e-12))

    def _purchases(self, features: npt.NDArray[np.float32]) -> Purchases:
        returns = returns_of(features, self._churn_types)
        repeats = np.maximum(returns.days - 1.0, 0.0)
        last = repeats * returns.gap
        return Purchases(repeats, last / _DAYS_A_WEEK, (last + returns.since) / _DAYS_A_WEEK)
