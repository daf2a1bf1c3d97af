"""Logistic regressions on recency, and on recency, frequency and monetary value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.baselines.risk_model import FeatureRisk
from models.data.examples import Examples
from streamer.core.model.features import FEATURES

RECENCY: Final = ("since_purchase",)
RFM: Final = ("since_purchase", "purchases", "value")
ANY_RECENCY: Final = ("silence",)
ANY_RFM: Final = ("silence", "events", "value")


class LogisticRisk:
    """Risk as a logistic function of the features ``names``, fitted to ``examples`` of known outcome."""

    def __init__(self, names: Sequence[str], examples: Examples) -> None:
        known = ~np.isnan(examples.churned)
        self._risk = logistic(named(names), examples.features[known], examples.churned[known])

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Risk ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``."""
        return self._risk(features)


Columns = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.floating]]
"""Of features ``[queries, len(FEATURES)]`` what is regressed on, ``[queries, columns]``."""


def named(names: Sequence[str]) -> Columns:
    """The features ``names``."""
    columns = np.array([FEATURES.index(name) for name in names])
    return lambda features: features[:, columns]


def logistic(
    columns: Columns, features: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
) -> FeatureRisk:
    """A logistic regression of ``labels``, 1 or 0, on what ``columns`` makes of ``features``."""
    model: Pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(columns(features), labels > 0.5)
    return lambda asked: model.predict_proba(columns(asked))[:, 1].astype(np.float64)
