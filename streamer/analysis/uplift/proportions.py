"""Two proportions compared: interval of their difference, and the sample that a difference needs.

Sources: Wilson (1927), J. Am. Stat. Assoc. 22:209; Newcombe (1998), Statistics in Medicine 17:873, method 10;
Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, section 4.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
POWER: Final = 0.8

_STANDARD: Final = NormalDist()
_Z_CONFIDENCE: Final = _STANDARD.inv_cdf(0.5 + CONFIDENCE / 2)
_Z_POWER: Final = _STANDARD.inv_cdf(POWER)


class Interval(NamedTuple):
    """Bounds at :data:`CONFIDENCE`."""

    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's score interval of a proportion; ``trials`` at least 1."""
    z2 = _Z_CONFIDENCE**2
    proportion = successes / trials
    centre = proportion + z2 / (2 * trials)
    reach = _Z_CONFIDENCE * math.sqrt(proportion * (1 - proportion) / trials + z2 / (4 * trials**2))
    whole = 1 + z2 / trials
    return Interval(max((centre - reach) / whole, 0.0), min((centre + reach) / whole, 1.0))


def newcombe(successes: int, trials: int, other_successes: int, other_trials: int) -> Interval:
    """Newcombe's hybrid score interval of the first proportion less the other; both at least one trial."""
    first, other = successes / trials, other_successes / other_trials
    low, high = wilson(successes, trials)
    other_low, other_high = wilson(other_successes, other_trials)
    difference = first - other
    return Interval(
        difference - math.hypot(first - low, other_high - other),
        difference + math.hypot(high - first, other - other_low),
    )


def needed_sample(base: float, difference: float, ratio: float) -> int | None:
    """Users needed in the group with rate ``base``, to find the other at ``base + difference``.

    The other group is ``ratio`` times as large. Two-sided test at :data:`CONFIDENCE`, found with
    probability :data:`POWER`; no continuity correction. ``None`` where the rate would pass 1.
    """
    other = base + difference
    if other > 1:
        return None
    pooled = (base + ratio * other) / (1 + ratio)
    if_equal = math.sqrt((1 + ratio) * pooled * (1 - pooled))
    if_different = math.sqrt(ratio * base * (1 - base) + other * (1 - other))
    root = _Z_CONFIDENCE * if_equal + _Z_POWER * if_different
    return math.ceil(root**2 / (ratio * difference**2))


def detectable_difference(base: float, users: int, ratio: float) -> float | None:
    """The smallest difference for which :func:`needed_sample` is at most ``users``, to 1e-4.

    ``None`` where not even a rate of 1 in the other group would be told from ``base``.
    """

    def found(difference: float) -> bool:
        needed = needed_sample(base, difference, ratio)
        return needed is not None and needed <= users

    low, high = 0.0, 1 - base
    if not high or not found(high):
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
