"""The level of expected losses: money that is really lost, on average."""

from __future__ import annotations

from typing import Final

from models.data.examples import Decline
from models.data.histories import Histories
from models.fit.answers import Ask
from models.fit.shortfalls import shortfalls_at
from models.recipe import Task
from schemas.bundle.manifest import LossMethod
from streamer.core.model.decline import DeclineTerms

LOWEST: Final = 0.05
HIGHEST: Final = 2.0
"""What a scale is kept within: few customers, or sums around zero, can say anything."""

_DECIMALS: Final = 4


def loss_scale(ask: Ask, histories: Histories, task: Task, decline: Decline, method: LossMethod) -> float:
    """What brings expected losses as near as possible to the shortfalls of who was overdue.

    That is by least squares, so that it is right for high losses, which alerts are about: of low ones more is
    expected than comes, since against the shop's level gains and losses of all add up to nothing. Below 1 as
    a rule for those of a decline: who declines still comes now and then. Kept within :data:`LOWEST` and
    :data:`HIGHEST`, 1 where nobody was overdue.
    """
    asked = shortfalls_at(ask, histories, task, decline)
    terms = DeclineTerms(decline.window_ms, decline.shop, task.churn_types)
    expected = (asked.expected(terms, method) * asked.known_share)[asked.overdue]
    squares = float((expected**2).sum())
    if squares <= 0.0:
        return 1.0
    ratio = float((expected * asked.shortfall[asked.overdue]).sum()) / squares
    return round(min(max(ratio, LOWEST), HIGHEST), _DECIMALS)
