"""By which of three methods a shop's losses are found best: by what alerts would have been worth.

Where a few customers buy for many, or most have hardly a usual, another method wins than elsewhere. The
simplest is kept unless another is better by more than two standard errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from models.data.examples import Decline
from models.data.histories import Histories
from models.fit.answers import answers_of
from models.fit.level import levels_of
from models.fit.shortfalls import STEPS_A_WINDOW, Shortfalls, shortfalls_at
from models.network.network import Network
from models.recipe import Task
from models.selection.ablation import ERRORS_OF_A_GAIN
from schemas.bundle.decline import LossFigures, LossMethod
from schemas.units import DAY_MS
from streamer.core.model.decline import DeclineTerms

METHODS: Final[tuple[LossMethod, ...]] = get_args(LossMethod)
"""The simplest first."""

DRAWS: Final = 1000

Floats = npt.NDArray[np.float64]


class Comparison(NamedTuple):
    """The method to serve, and the figures of all; none where there was nothing to compare by."""

    chosen: LossMethod
    figures: tuple[LossFigures, ...]


NOT_COMPARED: Final = Comparison(METHODS[0], ())


def compare_methods(
    network: Network, histories: Histories, task: Task, decline: Decline, alerts_a_week: float
) -> Comparison:
    """Choose by ``network``, a first fit, which knows nothing from ``task.first_until_ms`` on.

    At each of :func:`~models.fit.shortfalls.loss_cuts` as many are taken as there would be alerts until the
    next, each customer once: those with the highest expected loss among who is overdue. Levels are those of
    what was known to the first fit.
    """
    # What lies two windows back says little of now.
    begin_ms = max(task.first_until_ms, task.until_ms - 2 * task.window_ms)
    earlier = histories.before(task.first_until_ms)
    known = dataclasses.replace(task, until_ms=task.first_until_ms)
    levels = levels_of(network, earlier, known, decline)
    asked = shortfalls_at(partial(answers_of, network, levels), histories, task, decline, begin_ms)
    terms = DeclineTerms(decline.window_ms, decline.shop, task.churn_types)
    at_once = max(1, round(alerts_a_week * decline.window_ms / STEPS_A_WINDOW / (7 * DAY_MS)))
    raised: dict[LossMethod, npt.NDArray[np.int64]] = {
        method: first_raised(asked, asked.expected(terms, method), at_once) for method in METHODS
    }
    return choose(asked, raised, task.seed)


def first_raised(asked: Shortfalls, expected: Floats, at_once: int) -> npt.NDArray[np.int64]:
    """Questions that would have become alerts: at each cut the ``at_once`` highest, nobody twice."""
    raised: list[int] = []
    seen: set[int] = set()
    for number in np.unique(asked.cut):
        at_cut = np.flatnonzero((asked.cut == number) & asked.overdue)
        new = [
            int(one)
            for one in at_cut[np.argsort(-expected[at_cut], kind="stable")]
            if int(asked.user[one]) not in seen
        ][:at_once]
        raised += new
        seen.update(int(asked.user[one]) for one in new)
    return np.array(raised, np.int64)


def choose(asked: Shortfalls, raised: Mapping[LossMethod, npt.NDArray[np.int64]], seed: int) -> Comparison:
    """From the questions ``raised`` by each method, simplest first: the shortfall an alert decides.

    Errors are those of users drawn with replacement, the same for all methods.
    """
    if not all(len(chosen) for chosen in raised.values()):
        return NOT_COMPARED
    means: dict[LossMethod, float] = {
        method: float(asked.shortfall[chosen].mean()) for method, chosen in raised.items()
    }
    drawn = _drawn_means(asked, raised, seed)
    best = max(means, key=lambda method: means[method])

    def error(method: LossMethod, than: LossMethod) -> float:
        return float(np.std(drawn[method] - drawn[than]))

    chosen: LossMethod = next(iter(means))
    for method in means:
        if means[method] - means[chosen] > ERRORS_OF_A_GAIN * error(method, chosen):
            chosen = method
    return Comparison(
        chosen,
        tuple(
            LossFigures(
                method=method,
                shortfall=round(means[method], 2),
                behind=round(means[best] - means[method], 2),
                behind_error=round(error(method, best), 2),
            )
            for method in means
        ),
    )


def _drawn_means(
    asked: Shortfalls, raised: Mapping[LossMethod, npt.NDArray[np.int64]], seed: int
) -> dict[LossMethod, Floats]:
    """Mean shortfall an alert on each draw, ``[draws]``; how often a user is drawn is Poisson's."""
    users = np.unique(np.concatenate([asked.user[chosen] for chosen in raised.values()]))
    weights = np.random.default_rng(seed).poisson(1.0, (DRAWS, len(users))).astype(np.float64)
    means: dict[LossMethod, Floats] = {}
    for method, chosen in raised.items():
        drawn = weights[:, np.searchsorted(users, asked.user[chosen])]
        means[method] = drawn @ asked.shortfall[chosen] / np.maximum(drawn.sum(1), 1.0)
    return means
