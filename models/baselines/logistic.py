"""Logistic regressions on recency, and on recency, frequency and monetary value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.data.examples import Examples
from streamer.core.model.features import FEATURES

RECENCY: Final = ("since_purchase",)
RFM: Final = ("since_purchase", "purchases", "value")
ANY_RECENCY: Final = ("silence",)
ANY_RFM: Final = ("silence", "events", "value")


class LogisticRisk:
    """Risk as a logistic function of the features ``names``, fitted to ``examples`` of known outcome."""

    def __init__(self, names: Sequence[str], examples: Examples) -> None:
        self._columns = np.array([FEATURES.index(name) for name in names])
        known = ~np.isnan(examples.churned)
        self._model: Pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        self._model.fit(examples.features[known][:, self._columns], examples.churned[known] > 0.5)

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Risk ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``."""
        return self._model.predict_proba(features[:, self._columns])[:, 1].astype(np.float64)
