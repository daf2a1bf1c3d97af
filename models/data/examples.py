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
from models.recipe import BIN_EDGES, Task
from schemas.bundle.manifest import ChurnTypes
from schemas.errors import ConfigurationError
from schemas.units import DAY_MS
from streamer.core.history.token import are_actions
from streamer.core.model.features import features_at


class Moments(NamedTuple):
    """``event``: index of the user's last event by then; ``time_ms``: the moment. Both ``[moments]``."""

    event: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.float64]


class Examples(NamedTuple):
    """``bin``: of the next churn-kind event if ``seen``, else of the end of what is known.

    ``churned``: 1 no event within the horizon, 0 an event, NaN where the data end before that is known.
    """

    moments: Moments
    features: npt.NDArray[np.float32]
    bin: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    churned: npt.NDArray[np.float32]


def cut_moments(histories: Histories, times_ms: npt.NDArray[np.int64], longest_silence_ms: float) -> Moments:
    """Every user at each time who has an event before it and has not been silent for longer."""
    events: list[npt.NDArray[np.int64]] = []
    moments: list[npt.NDArray[np.float64]] = []
    silent_since = histories.silent_since()
    for time in times_ms:
        counts = np.add.reduceat(histories.times < time, histories.starts[:-1], dtype=np.int64)
        last = (histories.starts[:-1] + counts - 1)[counts > 0]
        last = last[time - silent_since[last] <= longest_silence_ms]
        events.append(last)
        moments.append(np.full(len(last), float(time)))
    return Moments(np.concatenate(events), np.concatenate(moments))


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
    histories: Histories, task: Task, until_ms: int, progress: Callable[[int], None] = lambda _: None
) -> Examples:
    """The examples that a fit which knows nothing from ``until_ms`` on learns from.

    Raises :class:`~schemas.errors.ConfigurationError` where nobody was silent for only a while by then.
    """
    moments = training_moments(histories, task, until_ms)
    if not (moments.time_ms > histories.times[moments.event]).any():
        raise nobody_active()
    return label(histories, moments, task.horizon_ms, task.churn_types, until_ms, progress)


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
    )
