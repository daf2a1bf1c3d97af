"""Why a risk is what it is: Shapley values of five groups of the model's inputs.

Between the bundle's reference point (the typical active customer) and the user lie 2^5 coalitions of
groups taken from the user, the rest from the reference. A group's importance is its mean contribution over
all orders in which the groups may join, in log-odds, so the importances add up exactly to the
difference between the two risks. Source: Shapley, "A Value for n-Person Games", 1953.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.alert import DriverCode
from streamer.core.changes import Driver
from streamer.core.features import FEATURES
from streamer.core.model import ReferencePoint
from streamer.core.rhythm import Rhythm, Usual

GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "silence",
        "since_purchase",
        "silence_to_gap_mean",
        "silence_to_gap_smoothed",
        "silence_to_gap_longest",
        "since_purchase_to_gap",
    ),
    (
        "visit_rate",
        "gap_mean",
        "gap_deviation",
        "gap_log_mean",
        "gap_longest",
        "gap_last",
        "gap_smoothed",
        "purchase_gap_mean",
        "visits_4d",
        "visits_14d",
        "visits_45d",
        "purchases_4d",
        "purchases_14d",
        "purchases_45d",
        "events_4d",
        "events_14d",
        "visits_trend",
    ),
    ("lines_per_purchase", "value_per_purchase", "last_value", "value_14d", "value_45d"),
    ("tenure", "events", "purchases", "visit_days", "purchase_days", "value", "refunds", "never_bought"),
    (),  # the hidden vector
)
"""Features that join a coalition together: silence, frequency, spending, history, and recent actions."""

COALITIONS: Final = 1 << len(GROUPS)
"""Coalition c has the groups whose bits are set in c: the first is the reference, the last the user."""

LEAST_PROBABILITY: Final = 1e-6
"""Probabilities closer than this to 0 or 1 count as this close: alerts show no more digits."""

_HAS_GROUP: Final = (np.arange(COALITIONS)[:, np.newaxis] >> np.arange(len(GROUPS)) & 1).astype(np.bool_)
_GROUP_OF: Final = [next(number for number, group in enumerate(GROUPS) if name in group) for name in FEATURES]
_TAKES_FEATURE: Final = _HAS_GROUP[:, _GROUP_OF]
_TAKES_HIDDEN: Final = _HAS_GROUP[:, -1:]


class Question(NamedTuple):
    """Inputs of the model's query: ``hidden`` ``[queries, width]``, ``features`` ``[queries, features]``."""

    hidden: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


def coalitions(asked: Question, reference: ReferencePoint) -> Question:
    """All coalitions of each of the ``asked``, one after the other: ``COALITIONS`` times the rows."""
    hidden = np.where(_TAKES_HIDDEN, asked.hidden[:, np.newaxis], reference.hidden)
    features = np.where(_TAKES_FEATURE, asked.features[:, np.newaxis], reference.features)
    return Question(
        hidden.reshape(-1, hidden.shape[-1]).astype(np.float32, copy=False),
        features.reshape(-1, features.shape[-1]).astype(np.float32, copy=False),
    )


def importances(probabilities: Iterable[float]) -> list[float]:
    """Shapley value of each group, from the probabilities of all coalitions of one user.

    Summed exactly in plain arithmetic: whole arrays would round differently from batch to batch.
    """
    odds = [log_odds(probability) for probability in probabilities]
    return [math.fsum(map(float.__mul__, weights, odds)) for weights in _WEIGHTS]


def log_odds(probability: float) -> float:
    """Logarithm of the odds; ``probability`` counts as ``LEAST_PROBABILITY`` from 0 and 1 at least."""
    kept = min(max(probability, LEAST_PROBABILITY), 1.0 - LEAST_PROBABILITY)
    return math.log(kept / (1.0 - kept))


def drivers_of(shares: Iterable[float], rhythm: Rhythm, any_event_returns: bool) -> tuple[Driver, ...]:
    """The groups' ``shares`` with the user's figures, the largest share first."""
    silence: tuple[DriverCode, Usual] = (
        ("days_since_last_event", rhythm.event_silence)
        if any_event_returns
        else ("days_since_last_purchase", rhythm.purchase_silence)
    )
    figures: tuple[tuple[DriverCode, Usual], ...] = (
        silence,
        ("visit_days_per_month", rhythm.visits),
        ("spending_per_month", rhythm.spending),
        ("purchases", rhythm.purchases),
        ("recent_actions", Usual()),
    )
    drivers = [Driver(code, *figure, share) for (code, figure), share in zip(figures, shares, strict=True)]
    return tuple(sorted(drivers, key=lambda driver: -abs(driver.importance)))


def _weights(group: int) -> list[float]:
    """What each coalition's log-odds count for the group's share."""
    groups = len(GROUPS)
    weights: list[float] = []
    for coalition in range(COALITIONS):
        joined = bool(coalition >> group & 1)
        others = coalition.bit_count() - joined
        orders = math.factorial(others) * math.factorial(groups - others - 1) / math.factorial(groups)
        weights.append(orders if joined else -orders)
    return weights


_WEIGHTS: Final = [_weights(group) for group in range(len(GROUPS))]
