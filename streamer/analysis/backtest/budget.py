"""The band edge at which a model raises a wanted number of alerts, a risk or an amount."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from streamer.core.alerts.policy import Policy

T = TypeVar("T")

TOLERANCE: Final = 0.01
"""How far the number may be from the wanted one, as a part of it."""

Trial = Callable[[float], tuple[int, T]]
"""Takes an edge, and returns its number of alerts and what else there is to tell of it."""

_MOST_TRIALS: Final = 16

_LONGEST_STEP: Final = 2.0
"""Of the logarithm of an edge, or of its odds, before there are edges on both sides."""

_LEAST_SHARE: Final = 0.1
"""Of the way between two edges that a trial goes at least, so that they close in."""

_LEAST_BETWEEN: Final = 0.01
"""Of the logarithms: nearer edges are one, however many alerts lie between them."""

_NO_RISK: Final = 0.999999
_NO_AMOUNT: Final = 1e15


def with_watch_edge(policy: Policy, watch: float) -> Policy:
    """``policy`` with alerts from ``watch`` on.

    The upper bands of a risk lie in the rest of the way to certainty, those of an amount at twice and four
    times of it.
    """
    if policy.alert_by == "loss":
        return msgspec.structs.replace(policy, edges=(watch, 2.0 * watch, 4.0 * watch))
    step = (1.0 - watch) / 3.0
    return msgspec.structs.replace(
        policy,
        edges=(watch, watch + step, watch + 2.0 * step),
        hysteresis=min(policy.hysteresis, watch / 2.0),
    )


def without_bands(policy: Policy) -> Policy:
    """``policy`` with edges that nobody reaches."""
    return with_watch_edge(policy, _NO_AMOUNT if policy.alert_by == "loss" else _NO_RISK)


def policy_for(name: str, policy: Policy) -> Policy:
    """``policy`` for comparing models, without what only a deployment needs.

    Silence alone sees most departures only when they are longer than the horizon: ``recency`` has the time.
    """
    alike = msgspec.structs.replace(policy, daily_budget=None, holdout_share=0.0, alerts_from_ms=None)
    return msgspec.structs.replace(alike, horizon_ms=alike.expiry_ms) if name == "recency" else alike


def edge_for(wanted: float, trial: Trial[T]) -> tuple[float, T]:
    """The edge at which ``trial`` counts about ``wanted`` alerts, and what else the trial gave there.

    ``trial`` takes an edge and returns its number of alerts, which falls as the edge rises. Of all trials the
    nearest counts, where no edge gives the number exactly.
    """
    low, high = 0.0, 1.0
    nearest: tuple[float, float, T] | None = None
    for _ in range(_MOST_TRIALS):
        edge = (low + high) / 2.0
        count, result = trial(edge)
        distance = abs(count - wanted)
        if nearest is None or distance < nearest[0]:
            nearest = (distance, edge, result)
        if distance <= TOLERANCE * wanted:
            break
        low, high = (edge, high) if count > wanted else (low, edge)
    assert nearest is not None
    return nearest[1], nearest[2]


def edge_near(guess: float, policy: Policy, wanted: float, trial: Trial[T]) -> tuple[float, T]:
    """As :func:`edge_for`, of whatever ``policy`` goes by, in fewer trials, the first at ``guess``.

    Counts are taken to fall by a power of the edge, of a risk by a power of its odds: between two edges that
    give too many and too few the next one is interpolated, and before there are two it is extrapolated.
    """
    place = math.log(guess if policy.alert_by == "loss" else guess / (1.0 - guess))
    too_low, too_high = (-math.inf, math.inf), (math.inf, -math.inf)
    nearest: tuple[float, float, T] | None = None
    for _ in range(_MOST_TRIALS):
        edge = math.exp(place) if policy.alert_by == "loss" else 1.0 / (1.0 + math.exp(-place))
        count, result = trial(edge)
        distance = abs(count - wanted)
        if nearest is None or distance < nearest[0]:
            nearest = (distance, edge, result)
        more = math.log((count + 0.5) / (wanted + 0.5))
        if count > wanted:
            too_low = (place, more)
        else:
            too_high = (place, more)
        between = too_high[0] - too_low[0]
        if distance <= TOLERANCE * wanted or between < _LEAST_BETWEEN:
            break
        if math.isinf(between):
            place += max(-_LONGEST_STEP, min(_LONGEST_STEP, more))
        else:
            share = too_low[1] / (too_low[1] - too_high[1])
            place = too_low[0] + between * min(max(share, _LEAST_SHARE), 1.0 - _LEAST_SHARE)
    assert nearest is not None
    return nearest[1], nearest[2]
