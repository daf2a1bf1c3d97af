"""When in a silence the signal may next bring a decision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamer.core.alerts.alert_state import AlertState
from streamer.core.alerts.policy import Policy
from streamer.core.timing.risk_curve import next_crossing, next_fall


class Followed(NamedTuple):
    """What alerts go by: at the steps of the silence grid, and now (NaN where it is not known)."""

    grid_ms: Sequence[int]
    curve: Sequence[float]
    signal: float


def turns(
    policy: Policy, followed: Followed, alert_state: AlertState, silence_ms: int, raise_from_ms: int
) -> Iterator[int]:
    """Silences (ms) after ``silence_ms`` at which the next band is reached, or the alert's is left.

    ``raise_from_ms``: the silence before which nobody is raised, being on time.
    """
    grid_ms, curve, signal = followed
    if math.isnan(signal):
        return
    reached = policy.level(signal)
    if reached < len(policy.edges):
        edge = policy.edges[reached] if reached else policy.least_signal
        if (rise_ms := next_crossing(grid_ms, curve, edge, silence_ms, signal)) is not None:
            yield rise_ms if alert_state.episode else max(rise_ms, raise_from_ms)
    level = alert_state.level
    if level and signal >= (leave := policy.leave_edges[level - 1]):
        fall_ms = next_fall(grid_ms, curve, leave, silence_ms, signal)
        if fall_ms is not None:
            yield fall_ms
