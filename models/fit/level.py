"""The level of what the served network foretells: that of the newest outcomes which are known.

A network learns an average over its whole window, and a shop's customers come back sooner in one season
than in another. The first fit cannot say what the served one lacks: it knows less of the end of the data,
and where histories are short hardly anything.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.data.examples import Decline, Examples, label
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.fit.calibration import Platt, fit_level
from models.fit.training import foretold_decline, logits_of, outputs_of
from models.network.network import Network
from models.recipe import Task


class Levels(NamedTuple):
    """What turns the network's outputs into what is served.

    ``absence`` and ``decline`` into probabilities; ``spend``: what expected amounts are multiplied with.
    ``decline`` is ``None`` where the network foretells none.
    """

    absence: Platt
    decline: Platt | None = None
    spend: float = 1.0


def levels_of(network: Network, histories: Histories, task: Task, decline: Decline | None) -> Levels:
    """Slope 1, and what makes the mean right at the newest moment whose outcome is known."""
    asked = _newest(histories, task, task.horizon_ms, None)
    absence = Platt(1.0, 0.0)
    if asked is not None:
        logits = logits_of(network, histories, asked.moments.event, asked.features)
        absence = fit_level(logits, asked.churned)
    if decline is None:
        return Levels(absence)
    return decline_levels(network, histories, absence, _newest(histories, task, decline.window_ms, decline))


def decline_levels(network: Network, histories: Histories, absence: Platt, asked: Examples | None) -> Levels:
    """``absence`` with the levels of decline and of spending that the outcomes of ``asked`` have."""
    if asked is None:
        return Levels(absence, Platt(1.0, 0.0))
    outputs = outputs_of(network, histories, asked.moments.event, asked.features)
    logits, expected = foretold_decline(network, outputs)
    known, amounts = ~np.isnan(asked.declined), ~np.isnan(asked.spend)
    actual, total = float(asked.spend[amounts].sum()), float(expected[amounts].sum())
    return Levels(
        absence,
        fit_level(logits[known], asked.declined[known]),
        actual / total if actual > 0.0 and total > 0.0 else 1.0,
    )


def _newest(histories: Histories, task: Task, known_ms: int, decline: Decline | None) -> Examples | None:
    """Questions at the newest moment whose outcomes are known; ``None`` where there is nobody to ask."""
    moments = cut_moments(histories, np.array([task.until_ms - known_ms]), task.active_ms)
    if not len(moments.event):
        return None
    return label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms, decline=decline)
