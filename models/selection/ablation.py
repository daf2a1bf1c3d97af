"""Aggregates alone, the sequence alone, and both: which is worth serving.

From the simplest on, a variant takes the place of the one before where its log loss is lower by more than
two standard errors of the difference: a sequence that adds nothing measurable is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.recipe import Variant
from schemas.bundle.manifest import VariantFigures
from streamer.core.model import risk_metrics as metrics

Floats = npt.NDArray[np.float64]

ERRORS_OF_A_GAIN: Final = 2.0


class Comparison(NamedTuple):
    """The variant to serve, and the figures of all, simplest first."""

    chosen: Variant
    figures: tuple[VariantFigures, ...]


def compare(
    risks: Mapping[Variant, Sequence[Floats]],
    churned: npt.NDArray[np.float32],
    users: npt.NDArray[np.int64],
) -> Comparison:
    """Compare variants, simplest first; ``risks``: of each of a variant's seeds, ``[questions]``.

    ``users`` ``[questions]``: whom each question is about. Differences are means over questions; their
    standard errors take each user's questions for one observation.
    """
    losses: dict[Variant, Floats] = {
        variant: np.mean([log_losses(churned, one) for one in seeds], axis=0)
        for variant, seeds in risks.items()
    }
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    chosen: Variant = next(iter(risks))
    for variant, loss in losses.items():
        if is_better(loss, losses[chosen], users):
            chosen = variant
    return Comparison(
        chosen,
        tuple(
            _figures(variant, [figures(churned, one) for one in seeds], losses[variant] - best, users)
            for variant, seeds in risks.items()
        ),
    )


def _figures(
    variant: Variant, seeds: Sequence[Mapping[str, float]], behind: Floats, users: npt.NDArray[np.int64]
) -> VariantFigures:
    values = {name: [one[name] for one in seeds] for name in seeds[0]}
    spread = {name: float(np.std(each, ddof=1)) for name, each in values.items()} if len(seeds) > 1 else {}
    return VariantFigures(
        variant=variant,
        seeds=len(seeds),
        **{name: float(np.mean(each)) for name, each in values.items()},
        spread=spread,
        behind=float(behind.mean()),
        behind_error=_clustered_error(behind, users),
    )


def figures(churned: npt.NDArray[np.float32], risks: Floats) -> dict[str, float]:
    """The figures by which variants, and bundles, are known."""
    return {
        "auroc": metrics.auroc(churned, risks),
        "pr_auc": metrics.pr_auc(churned, risks),
        "log_loss": metrics.log_loss(churned, risks),
        "brier": metrics.brier(churned, risks),
        "ece": metrics.ece(churned, risks),
    }


def is_better(loss: Floats, than: Floats, users: npt.NDArray[np.int64]) -> bool:
    """Whether losses ``[questions]`` are lower than others by more than chance and one user's habits."""
    gain = than - loss
    return bool(gain.mean() > ERRORS_OF_A_GAIN * _clustered_error(gain, users))


def log_losses(churned: npt.NDArray[np.float32], risks: Floats) -> Floats:
    """Negative log likelihood of each outcome, in nats."""
    kept = np.clip(risks, 1e-12, 1.0 - 1e-12)
    return -np.where(churned > 0.5, np.log(kept), np.log1p(-kept))


def _clustered_error(differences: Floats, users: npt.NDArray[np.int64]) -> float:
    """Standard error of the mean of ``differences`` whose users answer for several questions each."""
    totals = np.bincount(users, weights=differences - differences.mean())
    return float(np.sqrt((totals**2).sum()) / len(differences))
