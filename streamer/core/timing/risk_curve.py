"""The risk curve in silence, and where it crosses a band's edge.

Between two grid steps the curve is taken as linear in the logarithm of the silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_ADVANCE = 1 / 16
"""Share of a grid step by which a crossing is tried later, at least, when the last guess came too soon."""


def next_crossing(
    grid_ms: Sequence[int], curve: Sequence[float], edge: float, after_ms: int, risk_after: float
) -> int | None:
    """Silence (ms) after ``after_ms`` at which the curve may first reach ``edge``; ``None`` if never.

    ``risk_after`` is the risk at ``after_ms``, below ``edge``. The crossing inside a grid step is a guess:
    where the risk proves to be lower still, ask again from there. Each guess advances by at least
    :data:`LEAST_ADVANCE` of its step, and the last is the step's end, so guessing ends.

    >>> day = 86_400_000
    >>> grid = (day, 2 * day, 4 * day)
    >>> # Halfway between the second and the fourth day, in logarithms:
    >>> next_crossing(grid, (0.1, 0.3, 0.7), edge=0.5, after_ms=day, risk_after=0.1) / day
    2.8284375
    >>> next_crossing(grid, (0.1, 0.3, 0.4), edge=0.5, after_ms=day, risk_after=0.1) is None
    True
    """
    for step, (silence, risk) in enumerate(zip(grid_ms, curve, strict=True)):
        if silence <= after_ms or risk < edge:
            continue
        before_ms = grid_ms[step - 1] if step else after_ms
        start, risk_at_start = after_ms, risk_after
        if before_ms > after_ms:
            start, risk_at_start = before_ms, curve[step - 1]
        share = (
            min(max((edge - risk_at_start) / (risk - risk_at_start), 0.0), 1.0)
            if risk > risk_at_start
            else 1.0
        )
        crossing = math.exp(math.log(start) + share * (math.log(silence) - math.log(start)))
        if before_ms < after_ms:
            crossing = max(crossing, start + LEAST_ADVANCE * (silence - before_ms))
        return min(max(_whole_seconds_up(crossing), start + 1), silence)
    return None


def next_fall(
    grid_ms: Sequence[int], curve: Sequence[float], edge: float, after_ms: int, risk_after: float
) -> int | None:
    """Silence (ms) after ``after_ms`` at which the curve may first fall to ``edge``; ``None`` if never."""
    return next_crossing(grid_ms, [-risk for risk in curve], -edge, after_ms, -risk_after)


def _whole_seconds_up(milliseconds: float) -> int:
    return math.ceil(milliseconds / 1000.0) * 1000
