"""Platt scaling: the two numbers that turn the network's log odds into a probability.

Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Platt(NamedTuple):
    """Probability = logistic(``slope`` * logit + ``intercept``)."""

    slope: float
    intercept: float

    def probability(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of ``logits``."""
        return 1.0 / (1.0 + np.exp(-(self.slope * logits + self.intercept)))


def fit_platt(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.float32]) -> Platt:
    """Maximum likelihood by Newton's method, drawn slightly to slope 1 and intercept 0 for small samples."""
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    prior = np.array([1.0, 0.0])
    weights = prior.copy()
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-(design @ weights)))
        gradient = design.T @ (probability - labels) + (weights - prior)
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    return Platt(float(weights[0]), float(weights[1]))
