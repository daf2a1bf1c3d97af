"""Spearman's rank correlation; scipy's own has no types that a checker understands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


def rank_correlation(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """Correlation of the ranks of ``first`` and ``second``, both ``[users]``; equal values share a rank.

    >>> round(rank_correlation(np.array([1.0, 2.0, 2.0, 9.0]), np.array([1.0, 5.0, 5.0, 7.0])), 6)
    1.0
    """
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
