"""The level of expected losses: money that is really lost, on average."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.data.examples import Decline
from models.data.histories import Histories
from models.fit.answers import Ask
from models.fit.shortfalls import shortfalls_at
from models.recipe import Task
from schemas.bundle.decline import LossMethod
from streamer.core.model.decline import DeclineTerms

LOWEST: Final = 0.05
HIGHEST: Final = 2.0
"""What a scale is kept within: few customers, or sums around zero, can say anything."""

_CAP_QUANTILE: Final = 0.97
"""Of the expected losses: a customer above it weighs as one there."""

_DECIMALS: Final = 4


def loss_scale(ask: Ask, histories: Histories, task: Task, decline: Decline, method: LossMethod) -> float:
    """What brings expected losses as near as possible to the shortfalls of who was overdue.

    That is by least squares over the last two windows, so that it is right for high losses, which alerts are
    about: against the shop's level all gains and losses add up to nothing, so of low ones more is expected
    than comes. The few highest weigh no more than those below them. Below 1 as a rule for losses by decline:
    who declines still comes now and then. Kept within :data:`LOWEST` and :data:`HIGHEST`, 1 where nobody who
    was overdue was expected to bring less.
    """
    asked = shortfalls_at(ask, histories, task, decline, task.until_ms - 2 * task.window_ms)
    terms = DeclineTerms(decline.window_ms, decline.shop, task.churn_types)
    expected = (asked.expected(terms, method) * asked.known_share)[asked.overdue]
    most = float(np.quantile(expected, _CAP_QUANTILE)) if len(expected) else 0.0
    if most <= 0.0:
        return 1.0
    weight = (most / np.maximum(expected, most)) ** 2
    squares = float((weight * expected**2).sum())
    ratio = float((weight * expected * asked.shortfall[asked.overdue]).sum()) / squares
    return round(min(max(ratio, LOWEST), HIGHEST), _DECIMALS)
