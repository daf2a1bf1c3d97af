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
from streamer.core.alerts.decisions import Driver
from streamer.core.history.aggregates import AGGREGATES, COLUMN, Aggregates
from streamer.core.insights.rhythm import Figure, Rhythm
from streamer.core.model.features import features_at
from streamer.core.model.reference import ReferencePoint, as_ages, from_ages

GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("last_time", "last_purchase_time"),  # and the silence
    (
        "first_purchase_time",
        "visit_days",
        "purchase_days",
        "gap_total",
        "gap_squares",
        "gap_logs",
        "gap_longest",
        "gap_last",
        "gap_smoothed",
        "visits_4d",
        "visits_14d",
        "visits_45d",
        "visits_90d",
        "purchases_4d",
        "purchases_14d",
        "purchases_45d",
        "purchases_90d",
        "events_4d",
        "events_14d",
    ),
    ("purchases", "lines", "value", "last_value", "value_14d", "value_45d", "value_90d", "refunds"),
    ("first_time", "events"),
    (),  # the hidden vector
)
"""Aggregates that join a coalition together: silence, frequency, spending, tenure, and recent actions.

The features follow from them, so the passing of time, which most features feel, is all the silence's doing.
"""

COALITIONS: Final = 1 << len(GROUPS)
"""Coalition c has the groups whose bits are set in c: the first is the reference, the last the user."""

LEAST_PROBABILITY: Final = 1e-6
"""Probabilities closer than this to 0 or 1 count as this close: alerts show no more digits."""

_HAS_GROUP: Final = (np.arange(COALITIONS)[:, np.newaxis] >> np.arange(len(GROUPS)) & 1).astype(np.bool_)
_GROUP_OF: Final = [
    next(number for number, group in enumerate(GROUPS) if column in group) for column in AGGREGATES
]
_TAKES_COLUMN: Final = _HAS_GROUP[:, _GROUP_OF]
_TAKES_SILENCE: Final = _HAS_GROUP[:, 0]
_TAKES_HIDDEN: Final = _HAS_GROUP[:, -1:]


class Question(NamedTuple):
    """Inputs of the model's query: ``hidden`` ``[queries, width]``, ``features`` ``[queries, features]``."""

    hidden: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


def coalitions(
    aggregates: Aggregates,
    hidden: npt.NDArray[np.float32],
    now_ms: npt.NDArray[np.float64],
    reference: ReferencePoint,
) -> Question:
    """The questions of all coalitions of each user, one user after the other.

    ``aggregates`` ``[users, columns]`` and ``hidden`` ``[users, width]`` are the users', at ``now_ms``
    ``[users]`` (epoch ms).
    """
    silence = (now_ms - aggregates[:, COLUMN["last_time"]])[:, np.newaxis]
    ages = np.where(_TAKES_COLUMN, as_ages(aggregates)[:, np.newaxis], reference.ages)
    silences = np.where(_TAKES_SILENCE, silence, reference.silence_ms)
    mixed = np.where(_TAKES_HIDDEN, hidden[:, np.newaxis], reference.hidden)
    features = features_at(from_ages(ages.reshape(-1, len(AGGREGATES))), silences.reshape(-1))
    return Question(mixed.reshape(-1, hidden.shape[1]), features)


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
    silence: tuple[DriverCode, Figure] = (
        ("days_since_last_event", rhythm.event_silence)
        if any_event_returns
        else ("days_since_last_purchase", rhythm.purchase_silence)
    )
    figures: tuple[tuple[DriverCode, Figure], ...] = (
        silence,
        ("visit_days_per_month", rhythm.visits),
        ("spending_per_month", rhythm.spending),
        ("days_since_first_event", rhythm.tenure),
        ("recent_actions", Figure()),
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
