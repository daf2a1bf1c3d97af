"""What the baselines learn from, and all of them fitted to it.

Weekly cuts through the last 150 days whose outcome is known, as recent as those that a bundle learns from,
about the users whom the bundle is asked about: those with an event within the active days.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.baselines.bg_nbd_risk import BgNbdRisk
from models.baselines.gradient_boosting import GradientBoostingRisk
from models.baselines.logistic import ANY_RECENCY, ANY_RFM, RECENCY, RFM, LogisticRisk
from models.baselines.risk_model import FeatureRisk
from models.data.examples import Examples, label
from models.data.histories import Histories
from models.data.moments import Moments, cut_moments
from models.recipe import Task
from schemas.errors import ConfigurationError
from schemas.units import DAY_MS

CUT_EVERY_MS: Final = 7 * DAY_MS
CUTS_BACK_MS: Final = 150 * DAY_MS
MOST_EXAMPLES: Final = 200_000
"""Of more, so many are drawn: they bound the memory, and no baseline gains from more."""


class Lessons(NamedTuple):
    """``examples``: all of known outcome. ``everyone``: features of all users at the end of what is known."""

    examples: Examples
    everyone: npt.NDArray[np.float32]


def lessons(histories: Histories, task: Task, end: str) -> Lessons:
    """Examples from what lies before ``task.until_ms``, outcomes included; at most :data:`MOST_EXAMPLES`.

    A first cut has at least a horizon of history before it. ``end``: what ``task.until_ms`` is, in the words
    of the :class:`~schemas.errors.ConfigurationError` raised where there are too few events.
    """
    known = histories.before(task.until_ms)
    last_ms = task.until_ms - task.horizon_ms
    earliest_ms = int(known.times.min(initial=task.until_ms)) + task.horizon_ms
    cuts = np.arange(last_ms, max(earliest_ms, last_ms - CUTS_BACK_MS) - 1, -CUT_EVERY_MS)
    if not len(cuts):
        raise ConfigurationError(
            f"the baselines need events from two horizons before {end}: give files that reach back further"
        )
    draw = np.random.default_rng(task.seed)
    asked = drawn(cut_moments(known, cuts, task.active_ms), draw)
    users = drawn(cut_moments(known, np.array([task.until_ms]), np.inf), draw)
    moments = Moments(
        np.concatenate([asked.event, users.event]), np.concatenate([asked.time_ms, users.time_ms])
    )
    both = label(known, moments, task.horizon_ms, task.churn_types, task.until_ms)
    count = len(asked.event)
    examples = both.first(count)
    if len(np.unique(examples.churned)) < 2:
        raise ConfigurationError(
            f"before {end} all users churned or none did, and the baselines learn nothing: "
            "choose another time"
        )
    return Lessons(examples, both.features[count:])


def fit_logistic(learnt: Lessons, task: Task) -> dict[str, FeatureRisk]:
    """``recency`` and ``rfm``."""
    recency, rfm = (RECENCY, RFM) if task.churn_types == "purchase" else (ANY_RECENCY, ANY_RFM)
    return {
        "recency": LogisticRisk(recency, learnt.examples),
        "rfm": LogisticRisk(rfm, learnt.examples),
    }


def fit_all(learnt: Lessons, task: Task) -> dict[str, FeatureRisk]:
    """``recency``, ``rfm``, ``lightgbm`` and ``bgnbd``."""
    return {
        **fit_logistic(learnt, task),
        "lightgbm": GradientBoostingRisk(learnt.examples, task.seed),
        "bgnbd": BgNbdRisk(learnt.everyone, learnt.examples, task),
    }


def drawn(moments: Moments, draw: np.random.Generator) -> Moments:
    """``moments``, or :data:`MOST_EXAMPLES` of more."""
    if len(moments.event) <= MOST_EXAMPLES:
        return moments
    chosen = np.sort(draw.choice(len(moments.event), MOST_EXAMPLES, replace=False))
    return Moments(moments.event[chosen], moments.time_ms[chosen])
