"""How much less customers spend than usual, against the shop's level.

A season moves everybody, and single giant orders move a sum: so amounts are capped, and what is usual is
taken at the level at which the whole shop keeps it up.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CAP_QUANTILE: Final = 0.99
"""Of what is usual for the shop's customers: amounts above it count as it."""


class ShopLevel(NamedTuple):
    """How a shop fares over a window: amounts count up to ``cap``, and ``level`` of the usual is spent."""

    cap: float
    level: float

    @classmethod
    def of(cls, usual: Floats, actual: Floats) -> Self:
        """From all customers' usual and actual spend over the window, each ``[customers]``, one at least.

        >>> ShopLevel.of(np.array([20.0, 20.0]), np.array([5.0, 10.0])).level
        0.375
        """
        cap = float(np.quantile(usual, CAP_QUANTILE))
        total = float(np.minimum(usual, cap).sum())
        return cls(cap, float(np.minimum(actual, cap).sum()) / total if total > 0.0 else 1.0)

    def shortfall(self, usual: Floats, actual: Floats) -> Floats:
        """What each of ``usual`` less ``actual`` comes to; below 0 for who spends more than the shop's
        level."""
        return self.level * np.minimum(usual, self.cap) - np.minimum(actual, self.cap)
