"""Training examples: a user, a moment, the features at that moment, and what came after it.

Silence is an input, so the moments are spread over all silences that users reach: cuts through the
calendar ask about every user whose silence is within the grid, however long it has lasted, and moments
at events ask at a silence of zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories, aggregates_at, next_churn_event
from models.data.moments import Moments, cut_moments
from models.data.outcomes import spend_within, visits_within
from models.recipe import BIN_EDGES, Task
from schemas.bundle.manifest import ChurnTypes
from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.history.aggregates import Aggregates
from streamer.core.history.token import are_actions
from streamer.core.history.usual import DECLINE_SHARE, ShopMean, usual_of
from streamer.core.model.features import features_at


class Examples(NamedTuple):
    """``bin``: of the next churn-kind event if ``seen``, else of the end of what is known.

    ``churned``: 1 no event within the horizon, 0 an event, NaN where the data end before that is known.
    ``declined``: 1 fewer than half of the usual visit days within the window, 0 more; ``spend``: money within
    it, never below 0. Both NaN where they are not known or not asked, or nothing is usual yet.
    """

    moments: Moments
    features: npt.NDArray[np.float32]
    bin: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    churned: npt.NDArray[np.float32]
    declined: npt.NDArray[np.float32]
    spend: npt.NDArray[np.float32]

    def first(self, count: int) -> Examples:
        """The first ``count`` of them."""
        return Examples(
            Moments(self.moments.event[:count], self.moments.time_ms[:count]),
            self.features[:count],
            self.bin[:count],
            self.seen[:count],
            self.churned[:count],
            self.declined[:count],
            self.spend[:count],
        )


class Decline(NamedTuple):
    """What is asked about decline: what is usual in the shop, and the window that is looked at."""

    shop: ShopMean
    window_ms: int


def training_moments(histories: Histories, task: Task, until_ms: int) -> Moments:
    """Cuts back from ``until_ms``, and a share of the events since the earliest cut."""
    recipe = task.recipe
    begin = float(histories.times.min())
    step = min(recipe.cut_back * DAY_MS, until_ms - begin) / recipe.cuts
    cuts = until_ms - step * np.arange(1, recipe.cuts + 1)
    cuts = cuts[cuts >= begin].astype(np.int64)
    quiet = cut_moments(histories, cuts, recipe.longest_silence * DAY_MS)
    recent = np.flatnonzero((histories.times >= cuts[-1]) & are_actions(histories.tokens))
    draw = np.random.default_rng(task.seed)
    chosen = recent[draw.random(len(recent)) < recipe.event_moments]
    event = np.concatenate([quiet.event, chosen])
    time_ms = np.concatenate([quiet.time_ms, histories.times[chosen].astype(np.float64)])
    if len(event) > recipe.most_examples:
        kept = draw.random(len(event)) < recipe.most_examples / len(event)
        event, time_ms = event[kept], time_ms[kept]
    return Moments(event, time_ms)


def labelled_moments(
    histories: Histories,
    task: Task,
    until_ms: int,
    progress: Callable[[int], None] = lambda _: None,
    decline: Decline | None = None,
) -> Examples:
    """The examples that a fit which knows nothing from ``until_ms`` on learns from.

    Raises :class:`~schemas.errors.ConfigurationError` where nobody was silent for only a while by then.
    """
    moments = training_moments(histories, task, until_ms)
    if not (moments.time_ms > histories.times[moments.event]).any():
        raise nobody_active()
    return label(histories, moments, task.horizon_ms, task.churn_types, until_ms, progress, decline)


def nobody_active() -> ConfigurationError:
    """Refuses data that end long before the time that is asked about."""
    return ConfigurationError(
        "no user was active shortly before --train-until: give newer events, or a --train-until within them"
    )


def label(
    histories: Histories,
    moments: Moments,
    horizon_ms: int,
    churn_types: ChurnTypes,
    until_ms: int,
    progress: Callable[[int], None] = lambda _: None,
    decline: Decline | None = None,
) -> Examples:
    """Features and labels of ``moments``; nothing at or after ``until_ms`` is looked at."""
    aggregates = aggregates_at(histories, moments.event, progress)
    following = next_churn_event(histories, churn_types)[moments.event]
    following = np.where(following < until_ms, following, np.nan)
    seen = ~np.isnan(following)
    wait = np.where(seen, following, until_ms) - moments.time_ms
    churned = np.where(wait >= horizon_ms, 1.0, np.where(seen, 0.0, np.nan))
    # An early end of the data may hide only those without an event, so both are left out alike.
    churned[moments.time_ms + horizon_ms > until_ms] = np.nan
    return Examples(
        moments,
        features_at(aggregates, moments.time_ms),
        np.searchsorted(np.array(BIN_EDGES) * horizon_ms, wait, side="right"),
        seen,
        churned.astype(np.float32),
        *_outcomes(histories, moments, aggregates, churn_types, until_ms, decline),
    )


def _outcomes(
    histories: Histories,
    moments: Moments,
    aggregates: Aggregates,
    churn_types: ChurnTypes,
    until_ms: int,
    decline: Decline | None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Whether each user declined, and what each spent."""
    if decline is None:
        unknown = np.full(len(moments.event), np.nan, np.float32)
        return unknown, unknown
    usual = usual_of(aggregates, decline.shop, churn_types)
    visits = visits_within(histories, moments, decline.window_ms, churn_types)
    spend = np.maximum(spend_within(histories, moments, decline.window_ms), 0.0)
    known = (moments.time_ms + decline.window_ms <= until_ms) & ~np.isnan(usual.visit_days)
    fewer = visits < DECLINE_SHARE * usual.visit_days * (decline.window_ms / DAY_MS)
    return (
        np.where(known, fewer, np.nan).astype(np.float32),
        np.where(known, spend, np.nan).astype(np.float32),
    )
