"""Random numbers whose stream NumPy guarantees from version to version.

NumPy fixes the raw integers of its bit generators, but not how ``Generator`` makes distributions of them
(NEP 19). Each distribution is therefore made here, by inversion, from raw integers.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_POISSON_TERMS: Final = 64


class Draws:
    """One of several independent streams of a seed."""

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, stream]))

    def uniform(self, count: int) -> Floats:
        """Uniform on [0, 1), ``[count]``."""
        # The upper 53 bits fill a double's mantissa.
        return (self._bits.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def chance(self, probability: Floats | float, count: int) -> npt.NDArray[np.bool_]:
        """True with ``probability``, ``[count]``."""
        return self.uniform(count) < probability

    def normal(self, count: int) -> Floats:
        """Standard normal, ``[count]``, by Box and Muller."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(count)))
        return radius * np.cos(2.0 * np.pi * self.uniform(count))

    def gamma_of_shape_2(self, mean: Floats) -> Floats:
        """Gamma of shape 2 with the given means: the sum of two exponentials."""
        total = np.log1p(-self.uniform(len(mean))) + np.log1p(-self.uniform(len(mean)))
        return -0.5 * mean * total

    def poisson(self, mean: float, count: int) -> Integers:
        """Poisson, ``[count]``."""
        terms = [math.exp(-mean)]
        for value in range(1, _POISSON_TERMS):
            terms.append(terms[-1] * mean / value)
        return np.searchsorted(np.cumsum(terms), self.uniform(count), side="right")

    def zipf(self, exponent: float, size: int, count: int) -> Integers:
        """Ranks from 0 to ``size`` - 1, rank r with probability proportional to (r + 1)^-exponent."""
        cumulated = np.cumsum(np.arange(1, size + 1) ** -exponent)
        return np.searchsorted(cumulated / cumulated[-1], self.uniform(count), side="right")
