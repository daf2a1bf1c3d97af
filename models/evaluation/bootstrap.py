"""How uncertain figures are: users drawn with replacement, each with all of its rows.

Source: Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 69(3),
2007. All models are judged on the same draws, so their differences are paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FIGURES: Final = ("auroc", "pr_auc", "brier")
"""What is drawn, in the order of the columns."""

MOST_DRAWS: Final = 1000
LEAST_DRAWS: Final = 200
_ROWS_IN_ALL: Final = 40_000_000
_ROWS_AT_ONCE: Final = 1_000_000


class Interval(NamedTuple):
    """The middle 95 % of the draws."""

    lo: float
    hi: float


def draws_for(rows: int) -> int:
    """How many draws so many rows get: 1,000, and fewer where even 200 decide a narrow interval."""
    return max(LEAST_DRAWS, min(MOST_DRAWS, _ROWS_IN_ALL // max(rows, 1)))


def resampled(
    churned: npt.NDArray[np.float32], risks: Mapping[str, Floats], users: npt.NDArray[np.int64], seed: int
) -> dict[str, Floats]:
    """:data:`FIGURES` of each model on each draw, ``[draws, figures]``; NaN where a draw has one outcome.

    ``churned``, ``users`` and each of ``risks`` are ``[rows]``.
    """
    ranked = {name: _Ranked(churned, values) for name, values in risks.items()}
    made: dict[str, list[Floats]] = {name: [] for name in risks}
    for weights in _weights(users, seed):
        for name, each in ranked.items():
            made[name].append(each.figures(weights))
    return {name: np.concatenate(parts) for name, parts in made.items()}


def interval(draws: Floats) -> Interval:
    """Of one figure's ``[draws]``; NaN draws do not count."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, (0.025, 0.975))
    return Interval(float(low), float(high))


def _weights(users: npt.NDArray[np.int64], seed: int) -> Iterator[Floats]:
    """How often each row is drawn, ``[some draws, rows]`` at a time."""
    random = np.random.default_rng(seed)
    distinct, cluster = np.unique(users, return_inverse=True)
    at_once = max(1, _ROWS_AT_ONCE // len(users))
    left = draws_for(len(users))
    while left:
        count = min(left, at_once)
        drawn = [
            np.bincount(random.integers(0, len(distinct), len(distinct)), minlength=len(distinct))
            for _ in range(count)
        ]
        yield np.stack(drawn)[:, cluster].astype(np.float64)
        left -= count


class _Ranked:
    """One model's risks, ranked once for all draws; equal risks form one threshold."""

    def __init__(self, churned: npt.NDArray[np.float32], risks: Floats) -> None:
        self._order = np.argsort(-risks, kind="stable")
        ranked = risks[self._order]
        self._begins = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
        self._churned = churned[self._order].astype(np.float64)
        self._squares = (ranked - self._churned) ** 2

    def figures(self, weights: Floats) -> Floats:
        """``[draws, figures]`` of ``weights`` ``[draws, rows]``."""
        ranked = weights[:, self._order]
        everyone = np.add.reduceat(ranked, self._begins, axis=1)
        churners = np.add.reduceat(ranked * self._churned, self._begins, axis=1)
        above, hits = np.cumsum(everyone, axis=1), np.cumsum(churners, axis=1)
        total, positive = above[:, -1], hits[:, -1]
        stayed = everyone - churners
        with np.errstate(invalid="ignore", divide="ignore"):
            beaten = ((total - positive)[:, np.newaxis] - (above - hits) + stayed / 2.0) * churners
            auroc = beaten.sum(axis=1) / (positive * (total - positive))
            pr_auc = np.nansum(hits / above * churners, axis=1) / positive
        auroc[positive * (total - positive) == 0] = np.nan
        brier = ranked @ self._squares / total
        return np.stack([auroc, pr_auc, brier], axis=1)
