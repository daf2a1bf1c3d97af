"""How many alerts a week a risk brings, on data whose future plays no part: no labels are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories, aggregates_at
from models.recipe import Task
from schemas.bundle.manifest import ChurnTypes
from schemas.units import DAY_MS
from streamer.core.history.aggregates import COLUMN
from streamer.core.history.token import PURCHASE, are_actions
from streamer.core.model.features import features_at

LEAST_VISIT_DAYS: Final = 2
"""As the alert policy has it by default."""

RisksOf = Callable[[Histories, npt.NDArray[np.int64], npt.NDArray[np.float32]], npt.NDArray[np.float64]]
"""Risks ``[questions]`` of histories, asked after ``events`` with ``features``."""

_MOST_EVENTS: Final = 200_000


class Peaks(NamedTuple):
    """The highest risk of each silence, one entry for each time that a user stayed away.

    ``before``: up to the beginning of the time looked at, 0 where the silence began later; ``reached``: up to
    its end. ``weeks``: its length. ``share``: of the users, who were looked at.
    """

    before: npt.NDArray[np.float64]
    reached: npt.NDArray[np.float64]
    weeks: float
    share: float

    def alerts_a_week(self, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How often a week a risk of each of ``edges`` is first reached in a silence, by all users."""
        passed = _at_least(self.reached, edges) - _at_least(self.before, edges)
        return passed / (self.weeks * self.share)


def risk_peaks(
    risks_of: RisksOf,
    histories: Histories,
    task: Task,
    from_ms: int,
    silence_grid_ms: npt.NDArray[np.int64],
) -> Peaks:
    """Follow every user's risk from ``from_ms`` to ``task.until_ms``, as the streamer's policy would.

    A risk counts at events other than purchases and at the steps of the silence grid, for users with enough
    visit days who have not been silent for a whole horizon. A silence ends with an event of the churn kind.
    Of many events a part of the users, drawn with the task's seed, stands for all.
    """
    users = drawn(histories, task.seed)
    events, moments = moments_asked(users, task.until_ms, from_ms, task.horizon_ms, silence_grid_ms)
    aggregates = aggregates_at(users, events)
    eligible = aggregates[:, COLUMN["visit_days"]] >= LEAST_VISIT_DAYS
    events, moments = events[eligible], moments[eligible]
    features = features_at(aggregates[eligible], moments)
    risks = risks_of(users, events, features)
    silence = silences(users, task.churn_types)[events]
    before, reached = np.zeros(len(users.tokens) + 1), np.zeros(len(users.tokens) + 1)
    early = moments < from_ms
    np.maximum.at(before, silence[early], risks[early])
    np.maximum.at(reached, silence, risks)
    asked = np.unique(silence)
    weeks = (task.until_ms - from_ms) / (7 * DAY_MS)
    return Peaks(before[asked], reached[asked], weeks, users.users / histories.users)


def drawn(histories: Histories, seed: int) -> Histories:
    """Users with about :data:`_MOST_EVENTS` events; all where there are no more."""
    if len(histories.tokens) <= _MOST_EVENTS:
        return histories
    share = _MOST_EVENTS / len(histories.tokens)
    kept = np.random.default_rng(seed).random(histories.users) < share
    lengths = np.diff(histories.starts)
    starts = np.concatenate([[0], np.cumsum(lengths[kept])])
    return histories._replace(tokens=histories.tokens[np.repeat(kept, lengths)], starts=starts)


def moments_asked(
    histories: Histories,
    until_ms: int,
    from_ms: int,
    longest_ms: int,
    silence_grid_ms: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Events, and moments (epoch ms) after them before the user's next event, ``[questions]`` each.

    At silences below ``longest_ms``, of the events so long before ``from_ms`` and of all later ones.
    """
    silences_ms = np.concatenate([[0], silence_grid_ms[silence_grid_ms < longest_ms]])
    recent = np.flatnonzero(histories.times >= from_ms - longest_ms)
    following = following_times(histories, until_ms)[recent]
    # What the shop does interrupts no silence.
    moments = histories.silent_since()[recent, np.newaxis] + silences_ms
    asked = (histories.times[recent, np.newaxis] <= moments) & (moments < following[:, np.newaxis])
    asked[:, 0] &= histories.tokens["type"][recent] != PURCHASE
    row, step = np.nonzero(asked)
    return recent[row], moments[row, step].astype(np.float64)


def following_times(histories: Histories, until_ms: int) -> npt.NDArray[np.int64]:
    """Time of the user's next event after each one, ``until_ms`` after the last, ``[events]``."""
    following = np.append(histories.times[1:], 0)
    following[histories.starts[1:] - 1] = until_ms
    return following


def silences(histories: Histories, churn_types: ChurnTypes) -> npt.NDArray[np.int64]:
    """Number of the silence that each event belongs to: events up to the next of the churn kind share one."""
    purchases = histories.tokens["type"] == PURCHASE
    begins = purchases if churn_types == "purchase" else are_actions(histories.tokens)
    begins[histories.starts[:-1]] = True
    return np.cumsum(begins, dtype=np.int64)


def _at_least(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return len(values) - np.searchsorted(np.sort(values), edges, side="left")
