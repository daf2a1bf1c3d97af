"""What customers with a usual came to lose the shop after given moments, and what was foretold of them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.examples import Decline
from models.data.histories import Histories, aggregates_at
from models.data.moments import cut_moments
from models.data.outcomes import spend_within
from models.fit.answers import Ask
from models.recipe import Task
from schemas.bundle.decline import LossMethod
from schemas.units import DAY_MS
from streamer.core.history.usual import usual_of
from streamer.core.insights.shortfall import ShopLevel
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, LossTerms, expected_loss
from streamer.core.model.features import features_at

Floats = npt.NDArray[np.float64]

LEAST_OVERDUE: Final = 1.0
"""Usual gaps without a visit, as the alert policy has it by default."""

STEPS_A_WINDOW: Final = 8
"""Moments asked at within the time of one window: a week apart for one of 56 days."""


class Shortfalls(NamedTuple):
    """Each ``[questions]``: who was silent for a window at most, and whose spending afterwards is known.

    ``cut``: number of the moment asked at; ``user``: whom it is about. ``usual_spend``: a day.
    ``overdue``: whether an alert might be raised. ``known_share``: of the window, what lies before the end of
    the data; ``shortfall``: money against the shop's level in it.
    """

    cut: npt.NDArray[np.int64]
    user: npt.NDArray[np.int64]
    answers: Answers
    usual_spend: Floats
    overdue: npt.NDArray[np.bool_]
    known_share: Floats
    shortfall: Floats

    def expected(self, terms: DeclineTerms, method: LossMethod, scale: float = 1.0) -> Floats:
        """Expected losses within the whole window, by ``method``."""
        return expected_loss(self.answers, self.usual_spend, terms._replace(loss=LossTerms(method, scale)))


def shortfalls_at(
    ask: Ask,
    histories: Histories,
    task: Task,
    decline: Decline,
    from_ms: int,
) -> Shortfalls:
    """Ask at each of :func:`loss_cuts` from ``from_ms`` on.

    The events of ``histories`` end at ``task.until_ms``.
    """
    cuts_ms = loss_cuts(task, from_ms)
    moments = cut_moments(histories, cuts_ms, decline.window_ms)
    aggregates = aggregates_at(histories, moments.event)
    usual = usual_of(aggregates, decline.shop, task.churn_types)
    spent = np.maximum(spend_within(histories, moments, decline.window_ms), 0.0)
    kept = usual.known & ~np.isnan(spent)
    event, time_ms = moments.event[kept], moments.time_ms[kept]
    answers = ask(histories, event, features_at(aggregates[kept], time_ms))
    cut = np.searchsorted(cuts_ms, time_ms)
    known_ms = np.minimum(decline.window_ms, task.until_ms - time_ms)
    return Shortfalls(
        cut,
        histories.user_of(event),
        answers,
        usual.spend[kept],
        (usual.overdue(moments.time_ms) >= LEAST_OVERDUE)[kept],
        known_ms / decline.window_ms,
        _against_level(cut, usual.spend[kept] * known_ms / DAY_MS, spent[kept]),
    )


def loss_cuts(task: Task, from_ms: int) -> npt.NDArray[np.int64]:
    """Moments (epoch ms), an eighth of a window apart, back from half a window before the end to ``from_ms``.

    At one moment too few customers are overdue to tell what they cost: the season and a few orders decide.
    The newest have not their whole window yet, and count with what is known of it.
    """
    step = task.window_ms / STEPS_A_WINDOW
    last = task.until_ms - task.window_ms // 2
    return (last - step * np.arange(int((last - from_ms) / step), -1, -1)).astype(np.int64)


def _against_level(cut: npt.NDArray[np.int64], usual: Floats, actual: Floats) -> Floats:
    """Shortfalls, each against the shop's level at its cut."""
    shortfall = np.zeros(len(cut))
    for number in np.unique(cut):
        asked = cut == number
        level = ShopLevel.of(usual[asked], actual[asked])
        shortfall[asked] = level.shortfall(usual[asked], actual[asked])
    return shortfall
