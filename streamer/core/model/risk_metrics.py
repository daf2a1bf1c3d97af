"""How good risks are, against what happened. Arrays are ``[users]``; labels are 1 for churn, else 0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auroc(labels: npt.ArrayLike, risks: npt.ArrayLike) -> float:
    """Area under the ROC curve: how often a churner's risk exceeds another's, ties counting half.

    NaN unless both labels occur. Mann and Whitney's U over the number of pairs.
    """
    churned = np.asarray(labels, dtype=np.float64) > 0.5
    values = np.asarray(risks, dtype=np.float64)
    positives = int(churned.sum())
    negatives = len(churned) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    total = float(ranks[inverse][churned].sum())
    return (total - positives * (positives + 1) / 2.0) / (positives * negatives)


def pr_auc(labels: npt.ArrayLike, risks: npt.ArrayLike) -> float:
    """Average precision: the mean over churners of the precision at each one's risk; NaN without churners."""
    churned = np.asarray(labels, dtype=np.float64) > 0.5
    values = np.asarray(risks, dtype=np.float64)
    if not churned.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(churned[order])
    # Equal risks form one threshold: each is judged at the end of its run.
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    precision = hits[last] / (last + 1.0)
    recalled = np.diff(hits[last], prepend=0)
    return float((precision * recalled).sum() / hits[-1])


def log_loss(labels: npt.ArrayLike, risks: npt.ArrayLike) -> float:
    """Mean negative log likelihood, in nats; risks are kept 1e-12 away from 0 and 1."""
    churned = np.asarray(labels, dtype=np.float64)
    values = np.clip(np.asarray(risks, dtype=np.float64), 1e-12, 1.0 - 1e-12)
    return float(-np.mean(churned * np.log(values) + (1.0 - churned) * np.log1p(-values)))


def brier(labels: npt.ArrayLike, risks: npt.ArrayLike) -> float:
    """Mean squared difference of risk and label (Brier, 1950)."""
    difference = np.asarray(risks, dtype=np.float64) - np.asarray(labels, dtype=np.float64)
    return float(np.mean(difference * difference))


def reliability(labels: npt.ArrayLike, risks: npt.ArrayLike, bins: int = 10) -> tuple[Floats, Floats, Floats]:
    """Mean risk, share of churners, share of users in each occupied one of ``bins`` equal ranges of risk."""
    churned = np.asarray(labels, dtype=np.float64)
    values = np.asarray(risks, dtype=np.float64)
    index = np.minimum((values * bins).astype(np.int64), bins - 1)
    counts = np.bincount(index, minlength=bins).astype(np.float64)
    occupied = counts > 0
    total = counts[occupied]
    mean_risk = np.bincount(index, weights=values, minlength=bins)[occupied] / total
    share = np.bincount(index, weights=churned, minlength=bins)[occupied] / total
    return mean_risk, share, total / len(values)


def ece(labels: npt.ArrayLike, risks: npt.ArrayLike, bins: int = 10) -> float:
    """Expected calibration error over ``bins`` equal ranges of risk (Naeini et al., 2015)."""
    mean_risk, share, weight = reliability(labels, risks, bins)
    return float(np.sum(weight * np.abs(mean_risk - share)))
