"""Platt scaling: the two numbers that turn the network's log odds into a probability, or the second alone.

Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import root_scalar


class Platt(NamedTuple):
    """Probability = logistic(``slope`` * logit + ``intercept``)."""

    slope: float
    intercept: float

    def probability(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of ``logits``."""
        return 0.5 * (1.0 + np.tanh(0.5 * (self.slope * logits + self.intercept)))


def fit_platt(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.float32]) -> Platt:
    """Maximum likelihood, drawn slightly to slope 1 and intercept 0 for small samples.

    Newton's method on a convex loss; a step that would overshoot is halved until the loss falls.
    """
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    prior = np.array([1.0, 0.0])

    def loss_at(weights: npt.NDArray[np.float64]) -> float:
        outputs = design @ weights
        return float(
            (np.logaddexp(0.0, outputs) - labels * outputs).sum() + ((weights - prior) ** 2).sum() / 2
        )

    weights: npt.NDArray[np.float64] = prior
    loss = loss_at(weights)
    for _ in range(100):
        probability = 0.5 * (1.0 + np.tanh(0.5 * (design @ weights)))
        gradient = design.T @ (probability - labels) + (weights - prior)
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (lower := loss_at(weights - step)) > loss and np.abs(step).max() > 1e-12:
            step /= 2.0
        weights, loss = weights - step, lower
        if np.abs(step).max() < 1e-9:
            break
    # Beyond six digits the last steps' rounding shows, and nothing of the data does.
    return Platt(round(float(weights[0]), 6), round(float(weights[1]), 6))


def fit_level(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.float32]) -> Platt:
    """The intercept alone, drawn slightly to 0 for small samples: the mean risk becomes the labels' mean."""

    def excess(intercept: float) -> float:
        return float((Platt(1.0, intercept).probability(logits) - labels).sum()) + intercept

    if not len(labels):
        return Platt(1.0, 0.0)
    widest = float(len(labels))
    return Platt(1.0, round(float(root_scalar(excess, bracket=(-widest, widest)).root), 6))
