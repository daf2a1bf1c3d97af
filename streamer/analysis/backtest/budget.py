"""The band edge at which a model raises a wanted number of alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from streamer.core.alerts.policy import Policy

T = TypeVar("T")

TOLERANCE: Final = 0.01
"""How far the number may be from the wanted one, as a part of it."""

_MOST_TRIALS: Final = 16


def with_watch_edge(policy: Policy, watch: float) -> Policy:
    """``policy`` with alerts from ``watch`` on, and the upper bands in the rest of the way to certainty."""
    step = (1.0 - watch) / 3.0
    return msgspec.structs.replace(
        policy,
        edges=(watch, watch + step, watch + 2.0 * step),
        hysteresis=min(policy.hysteresis, watch / 2.0),
    )


def policy_for(name: str, policy: Policy) -> Policy:
    """``policy`` for comparing models, without what only a deployment needs.

    Silence alone sees most departures only when they are longer than the horizon: ``recency`` has the time.
    """
    alike = msgspec.structs.replace(policy, daily_budget=None, holdout_share=0.0, alerts_from_ms=None)
    return msgspec.structs.replace(alike, horizon_ms=alike.expiry_ms) if name == "recency" else alike


def edge_for(wanted: float, trial: Callable[[float], tuple[int, T]]) -> tuple[float, T]:
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
