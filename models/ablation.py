"""Aggregates alone, the sequence alone, and both: which is worth serving.

The simplest variant is chosen whose log loss is within one standard error of the best one's (Breiman et al.,
"Classification and Regression Trees", 1984): a sequence that adds nothing measurable is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.configuration import Variant
from schemas.bundle import VariantFigures
from streamer.core import metrics

Floats = npt.NDArray[np.float64]


def compare(
    risks: Mapping[Variant, Sequence[Floats]], churned: npt.NDArray[np.float32], users: npt.NDArray[np.int64]
) -> tuple[VariantFigures, ...]:
    """Figures of each variant, simplest first; ``risks``: of each of its seeds, ``[questions]``.

    ``users`` ``[questions]``: whom each question is about. What is behind the best is a mean over questions
    of the difference in log loss; its standard error takes each user's questions for one observation.
    """
    losses = {
        variant: np.mean([_losses(churned, one) for one in seeds], axis=0) for variant, seeds in risks.items()
    }
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    made: list[VariantFigures] = []
    for variant, seeds in risks.items():
        each = [figures(churned, one) for one in seeds]
        behind = losses[variant] - best
        made.append(
            VariantFigures(
                variant=variant,
                seeds=len(seeds),
                **{name: float(np.mean([one[name] for one in each])) for name in each[0]},
                spread={name: float(np.std([one[name] for one in each], ddof=1)) for name in each[0]}
                if len(seeds) > 1
                else {},
                behind=float(behind.mean()),
                behind_error=_clustered_error(behind, users),
            )
        )
    return tuple(made)


def simplest_of_the_best(ablation: Sequence[VariantFigures]) -> Variant:
    """The first variant that is behind the best by no more than one standard error."""
    return next(one.variant for one in ablation if one.behind <= one.behind_error)


def figures(churned: npt.NDArray[np.float32], risks: Floats) -> dict[str, float]:
    """The figures by which variants, and bundles, are known."""
    return {
        "auroc": metrics.auroc(churned, risks),
        "pr_auc": metrics.pr_auc(churned, risks),
        "log_loss": metrics.log_loss(churned, risks),
        "brier": metrics.brier(churned, risks),
        "ece": metrics.ece(churned, risks),
    }


def _losses(churned: npt.NDArray[np.float32], risks: Floats) -> Floats:
    kept = np.clip(risks, 1e-12, 1.0 - 1e-12)
    return -np.where(churned > 0.5, np.log(kept), np.log1p(-kept))


def _clustered_error(differences: Floats, users: npt.NDArray[np.int64]) -> float:
    """Standard error of the mean of ``differences`` whose users answer for several questions each."""
    totals = np.bincount(users, weights=differences - differences.mean())
    return float(np.sqrt((totals**2).sum()) / len(differences))
