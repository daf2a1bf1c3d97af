"""The risk curve in silence, and where it crosses a band's edge.

Between two grid steps the curve is taken as linear in the logarithm of the silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def next_crossing(
    grid_ms: Sequence[int],
    curve: Sequence[float],
    edge: float,
    after_ms: int,
    risk_after: float | None,
) -> int | None:
    """Silence (ms) after ``after_ms`` at which the curve first reaches ``edge``; ``None`` if never.

    ``risk_after`` is the risk at ``after_ms`` when it is known to lie below ``edge`` and to be worth
    interpolating from; ``None`` makes a crossing inside the running step wait for the step's end, where
    the curve itself, and no interpolation, says that the edge is reached.
    """
    for step, (silence, risk) in enumerate(zip(grid_ms, curve, strict=True)):
        if silence <= after_ms or risk < edge:
            continue
        start, risk_at_start = after_ms, risk_after
        if step > 0 and grid_ms[step - 1] >= after_ms:
            start, risk_at_start = grid_ms[step - 1], curve[step - 1]
        if risk_at_start is None or risk_at_start >= edge or start <= 0:
            return silence
        share = (edge - risk_at_start) / (risk - risk_at_start)
        crossing = math.exp(math.log(start) + share * (math.log(silence) - math.log(start)))
        return min(max(_whole_seconds_up(crossing), start + 1), silence)
    return None


def _whole_seconds_up(milliseconds: float) -> int:
    return math.ceil(milliseconds / 1000.0) * 1000
