"""How good the heads are, from what they say and what happened."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.fit.rank_correlation import rank_correlation


class SpendFigures(NamedTuple):
    """How far expected spend tells customers apart, ``n`` of them.

    ``spearman``: rank correlation. ``gini``: area between the Lorenz curve and chance, as a part of what a
    perfect order would have. ``top_decile``: share of all spend that the tenth with the highest expectations
    had. ``total``: expected over actual.
    """

    n: int
    spearman: float
    gini: float
    top_decile: float
    total: float


def judge_spend(actual: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> SpendFigures:
    """Figures of ``expected`` spend beside the ``actual``, both ``[users]``."""
    most_first = np.argsort(-expected, kind="stable")
    tenth = most_first[: max(1, len(actual) // 10)]
    return SpendFigures(
        n=len(actual),
        spearman=rank_correlation(actual, expected),
        gini=_gained(actual[most_first]) / _gained(np.sort(actual)[::-1]),
        top_decile=float(actual[tenth].sum() / actual.sum()),
        total=float(expected.sum() / actual.sum()),
    )


def log_loss(log_probabilities: npt.NDArray[np.floating], actual: npt.NDArray[np.int64]) -> float:
    """Mean over events, in nats: ``[events, classes]`` as they were said, ``[events]`` as they came."""
    return -float(log_probabilities[np.arange(len(actual)), actual].mean())


def perplexity(log_loss: float) -> float:
    """Of how many equally likely classes the next one is as hard to tell."""
    return float(np.exp(log_loss))


def _gained(ordered: npt.NDArray[np.float64]) -> float:
    return float((np.cumsum(ordered) / ordered.sum()).mean() - 0.5)
