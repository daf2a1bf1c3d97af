"""Gradient-boosted trees on the features of the query head: what a good data scientist would try first.

LightGBM (Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017). Of the features in
:data:`streamer.core.model.features.FEATURES` it has all but ``tenure``: recency, counts, gaps and money of
the whole history, sums with half-lives of 4, 14 and 45 days, and ratios of them. Where histories begin with
the data, ``tenure`` tells a tree the date. The parameters are the same for all data; the number of trees was
set on cuts three months before those of the published figures, where twice as many were worse.
"""

from __future__ import annotations

from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from models.data.examples import Examples
from streamer.core.model.features import FEATURES

COLUMNS: Final = np.array([index for index, name in enumerate(FEATURES) if name != "tenure"])
SEEDS: Final = 3
"""So many models, alike but for the seed; the risk is the mean of theirs."""

_LEAVES: Final = 15
_TREES: Final = 150
_PARAMETERS: Final = {
    "objective": "binary",
    "learning_rate": 0.03,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    # One thread, and one way to build histograms: the same data give the same trees.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class GradientBoostingRisk:
    """Mean risk of :data:`SEEDS` models fitted to ``examples`` of known outcome."""

    def __init__(self, examples: Examples, seed: int) -> None:
        known = ~np.isnan(examples.churned)
        features, churned = examples.features[known], examples.churned[known]
        self._models = [
            train_trees(features, churned, seed + index, _LEAVES, _TREES) for index in range(SEEDS)
        ]

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Risk ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``."""
        risks = np.zeros(len(features))
        for model in self._models:
            risks += np.asarray(model.predict(features[:, COLUMNS])) / SEEDS
        return risks


def train_trees(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.float32],
    seed: int,
    leaves: int,
    trees: int,
) -> lightgbm.Booster:
    """So many ``trees`` of so many ``leaves``, on :data:`COLUMNS` of ``features``; ``labels``: 1 or 0."""
    parameters = {**_PARAMETERS, "num_leaves": leaves, "seed": seed}
    return lightgbm.train(parameters, lightgbm.Dataset(features[:, COLUMNS], labels), trees)
