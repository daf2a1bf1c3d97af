"""The level of the served network's risks: that of the newest outcomes which are known.

A network learns an average over its whole window, and a shop's customers come back sooner in one season
than in another. The first fit cannot say what the served one lacks: it knows two horizons less, and where
histories are short hardly anything.
"""

from __future__ import annotations

import numpy as np

from models.data.examples import cut_moments, label
from models.data.histories import Histories
from models.fit.calibration import Platt, fit_level
from models.fit.training import logits_of
from models.network.network import Network
from models.recipe import Task


def level_of(network: Network, histories: Histories, task: Task) -> Platt:
    """Slope 1, and the intercept that makes the mean risk right a horizon before ``task.until_ms``."""
    moments = cut_moments(histories, np.array([task.until_ms - task.horizon_ms]), task.active_ms)
    if not len(moments.event):
        return Platt(1.0, 0.0)
    asked = label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms)
    return fit_level(logits_of(network, histories, moments.event, asked.features), asked.churned)
