"""Baselines that foretell a decline, and what they learn from.

Weekly cuts through the last 150 days whose window is over, about the users whom the bundle is asked about and
of whom something is usual: what is usual is that of the bundle.
"""

from __future__ import annotations

from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from models.baselines.fit import CUT_EVERY_MS, CUTS_BACK_MS, drawn
from models.baselines.gradient_boosting import COLUMNS, SEEDS, train_trees
from models.baselines.logistic import ANY_RECENCY, ANY_RFM, RECENCY, RFM, logistic, named
from models.baselines.overdue import overdue_of
from models.baselines.risk_model import FeatureRisk
from models.data.examples import Decline, label
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.recipe import Task
from schemas.errors import ConfigurationError
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.risk_metrics import log_loss

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]

LEAVES: Final = (5, 15)
TREES: Final = (75, 150, 300)
"""What is tried of each, on a fifth of the users held out; the lowest log loss decides."""

_HELD_OUT: Final = 5


class DeclineLessons:
    """``features`` ``[examples, len(FEATURES)]``, ``declined`` ``[examples]`` 1 or 0, ``user`` of each."""

    def __init__(self, histories: Histories, task: Task, terms: DeclineTerms, end: str) -> None:
        """What lies before ``task.until_ms``, windows included; at most :data:`MOST_EXAMPLES`.

        ``end``: what that is, in the words of the :class:`~schemas.errors.ConfigurationError` raised where
        there are too few events.
        """
        known = histories.before(task.until_ms)
        last_ms = task.until_ms - terms.window_ms
        earliest_ms = int(known.times.min(initial=task.until_ms)) + terms.window_ms
        cuts = np.arange(last_ms, max(earliest_ms, last_ms - CUTS_BACK_MS) - 1, -CUT_EVERY_MS)
        if not len(cuts):
            raise ConfigurationError(
                f"the baselines need events from two windows before {end}: give files that reach back further"
            )
        moments = drawn(cut_moments(known, cuts, task.active_ms), np.random.default_rng(task.seed))
        asked = Decline(terms.shop, terms.window_ms)
        examples = label(known, moments, task.horizon_ms, task.churn_types, task.until_ms, decline=asked)
        usual = ~np.isnan(examples.declined)
        self.features: Features = examples.features[usual]
        self.declined: Features = examples.declined[usual]
        self.user = known.user_of(moments.event[usual])
        if len(np.unique(self.declined)) < 2:
            raise ConfigurationError(
                f"before {end} all users declined or none did, and the baselines learn nothing: "
                "choose another time"
            )


def fit_decline(learnt: DeclineLessons, task: Task, terms: DeclineTerms) -> dict[str, FeatureRisk]:
    """``overdue``, ``recency``, ``rfm`` and ``lightgbm``: each a probability of a decline."""
    recency, rfm = (RECENCY, RFM) if task.churn_types == "purchase" else (ANY_RECENCY, ANY_RFM)

    def overdue(features: Features) -> Floats:
        return np.log1p(overdue_of(features, terms.shop, terms.churn_types))[:, np.newaxis]

    return {
        "overdue": logistic(overdue, learnt.features, learnt.declined),
        "recency": logistic(named(recency), learnt.features, learnt.declined),
        "rfm": logistic(named(rfm), learnt.features, learnt.declined),
        "lightgbm": DeclineTrees(learnt, task.seed),
    }


class DeclineTrees:
    """Gradient-boosted trees, the mean of :data:`SEEDS` models, of the size that a held-out fifth chose."""

    def __init__(self, learnt: DeclineLessons, seed: int) -> None:
        self.leaves, self.trees = _size(learnt, seed)
        self._models = [
            train_trees(learnt.features, learnt.declined, seed + index, self.leaves, self.trees)
            for index in range(SEEDS)
        ]

    def __call__(self, features: Features) -> Floats:
        """Probability of a decline ``[queries]`` of ``features`` ``[queries, len(FEATURES)]``."""
        return np.mean([_predicted(model, features) for model in self._models], axis=0)


def _size(learnt: DeclineLessons, seed: int) -> tuple[int, int]:
    """Leaves and trees; the first of equals, which is the smallest."""
    held_out = learnt.user % _HELD_OUT == 0
    if len(np.unique(learnt.declined[held_out])) < 2 or len(np.unique(learnt.declined[~held_out])) < 2:
        return LEAVES[0], TREES[0]
    losses: dict[tuple[int, int], float] = {}
    for leaves in LEAVES:
        model = train_trees(learnt.features[~held_out], learnt.declined[~held_out], seed, leaves, max(TREES))
        for trees in TREES:
            chances = _predicted(model, learnt.features[held_out], trees)
            losses[leaves, trees] = log_loss(learnt.declined[held_out], chances)
    return min(losses, key=lambda size: losses[size])


def _predicted(model: lightgbm.Booster, features: Features, trees: int | None = None) -> Floats:
    return np.asarray(model.predict(features[:, COLUMNS], num_iteration=trees), np.float64)
