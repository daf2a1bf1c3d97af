"""The BG/NBD model of repeat buying: Poisson purchases until the customer leaves after one of them.

Fader, Hardie and Lee, "'Counting Your Customers' the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2), 2005. A customer's rate is drawn from a gamma distribution (``r``, ``alpha``), the
chance to leave after a purchase from a beta distribution (``a``, ``b``). Times are in weeks, arrays are
``[customers]``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

Floats = npt.NDArray[np.float64]

_LARGEST_LOG: Final = 7.0
"""Of a parameter: where nobody leaves, the likelihood rises for ever, by less and less."""

_LARGEST_EXPONENT: Final = 600.0


class Purchases(NamedTuple):
    """``repeats``: after the first; ``last``: from the first to the last; ``age``: from the first to now."""

    repeats: Floats
    last: Floats
    age: Floats


class BgNbd(NamedTuple):
    """The four parameters, all above 0."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, seen: Purchases) -> float:
        """Of all customers together (the paper's equation 6, with the terms as in its appendix)."""
        r, alpha, a, b = self
        x = seen.repeats
        rates = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        stays = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        still_there = -(r + x) * np.log(alpha + seen.age)
        left = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) - (r + x) * np.log(alpha + seen.last)
        left = np.where(x > 0, left, -np.inf)
        return float(np.sum(rates + stays + np.logaddexp(still_there, left)))

    def expected_purchases(self, seen: Purchases, weeks: float) -> Floats:
        """E[Y(t)], how many purchases are to come within ``weeks`` (the paper's equation 10).

        The hypergeometric function stands in Euler's other form, whose terms stay small for many repeats.
        """
        r, alpha, a, b = self
        # At 1 the formula is 0/0, and its limit no other than what stands right beside it.
        a = a if abs(a - 1.0) > 1e-6 else 1.0 + 1e-6
        x = seen.repeats
        rest = (alpha + seen.age) / (alpha + seen.age + weeks)
        series = hyp2f1(a + b - 1.0 - r, a - 1.0, a + b + x - 1.0, 1.0 - rest)
        if_there = (a + b + x - 1.0) / (a - 1.0) * (1.0 - rest ** (a - 1.0) * series)
        silent = (r + x) * np.log((alpha + seen.age) / (alpha + seen.last))
        odds = a / (b + np.maximum(x, 1.0) - 1.0) * np.exp(np.minimum(silent, _LARGEST_EXPONENT))
        return if_there / (1.0 + np.where(x > 0, odds, 0.0))


def fit_bg_nbd(seen: Purchases) -> BgNbd:
    """Parameters of the greatest likelihood, found on their logarithms."""
    count = len(seen.repeats)

    def loss(logs: Floats) -> float:
        return -BgNbd(*np.exp(logs).tolist()).log_likelihood(seen) / count

    bounds = [(-_LARGEST_LOG, _LARGEST_LOG)] * 4
    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=bounds)
    return BgNbd(*np.exp(found.x).tolist())
