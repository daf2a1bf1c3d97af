"""The figures of one model on one set of rows. Labels are 1 for churn; risks are probabilities of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from models.evaluation.bootstrap import Interval
from streamer.core.model import risk_metrics as metrics

Floats = npt.NDArray[np.float64]

Target = Literal["absence", "decline"]

TENTHS: Final = 10


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """``at``: the cut, ``None`` for all cuts together. ``segment``: ``all``, or one of the activity segments.

    ``target``: what is foretold: no event within the horizon, or fewer than half of the usual visits within
    the window of a decline, which then stands for the horizon, and who declines for who churns.
    ``precision``, ``recall``, ``f1`` and ``accuracy`` are those of calling everybody churned whose risk is
    ``threshold`` or more, ``flagged`` users in all. ``lift10``: the share of churners in the tenth with the
    highest risks over the base rate; ``lift``: the same for the first, the first two and so on of ten tenths.
    ``reliability``: mean risk, share of churners, share of users in each tenth of the scale of risks that
    occurs. A figure that the rows do not determine is ``None``. ``heads``: figures of other heads, by name.
    """

    dataset: str
    at: str | None
    segment: str
    horizon_days: float
    model: str
    n: int
    base_rate: float
    auroc: float | None
    auroc_lo: float | None
    auroc_hi: float | None
    pr_auc: float | None
    log_loss: float
    brier: float
    ece: float
    lift10: float | None
    threshold: float
    flagged: int
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None
    lift: tuple[float, ...]
    reliability: tuple[tuple[float, float, float], ...]
    heads: dict[str, float]
    target: Target = "absence"


class RowName(NamedTuple):
    """Which row it is, see :class:`Row`."""

    dataset: str
    at: str | None
    segment: str
    horizon_days: float
    model: str
    target: Target = "absence"


def figures_of(
    name: RowName,
    churned: npt.NDArray[np.float32],
    risks: Floats,
    auroc: Interval,
    threshold: float,
    heads: dict[str, float],
) -> Row:
    """All figures of ``risks`` ``[users]``, at least one."""
    flagged = risks >= threshold
    hits, positives, count = int(churned[flagged].sum()), int(churned.sum()), len(churned)
    lift = cumulative_lift(churned, risks)
    return Row(
        **name._asdict(),
        n=count,
        base_rate=positives / count,
        auroc=_known(metrics.auroc(churned, risks)),
        auroc_lo=_known(auroc.lo),
        auroc_hi=_known(auroc.hi),
        pr_auc=_known(metrics.pr_auc(churned, risks)),
        log_loss=metrics.log_loss(churned, risks),
        brier=metrics.brier(churned, risks),
        ece=metrics.ece(churned, risks),
        lift10=lift[0] if lift else None,
        threshold=threshold,
        flagged=int(flagged.sum()),
        accuracy=float((flagged == (churned > 0.5)).mean()),
        precision=hits / int(flagged.sum()) if flagged.any() else None,
        recall=hits / positives if positives else None,
        f1=2 * hits / (int(flagged.sum()) + positives) if positives else None,
        lift=lift,
        reliability=tuple(zip(*(part.tolist() for part in metrics.reliability(churned, risks)), strict=True)),
        heads=heads,
    )


def cumulative_lift(churned: npt.NDArray[np.float32], risks: Floats) -> tuple[float, ...]:
    """Share of churners among the highest 10 %, 20 % ... of risks, over that of all; empty without churners.

    Users of one risk count as if drawn at random from among themselves.
    """
    if not churned.any():
        return ()
    order = np.argsort(-risks, kind="stable")
    ranked = risks[order]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    sizes = np.diff(np.append(begins, len(ranked)))
    of_group = np.add.reduceat(churned[order].astype(np.float64), begins) / sizes
    hits = np.concatenate([[0.0], np.cumsum(np.repeat(of_group, sizes))])
    taken = len(ranked) * np.arange(1, TENTHS + 1) / TENTHS
    found = np.interp(taken, np.arange(len(ranked) + 1), hits)
    return tuple((found / taken / churned.mean(dtype=np.float64)).tolist())


def threshold_for(risks: Floats, count: int) -> float:
    """The highest threshold that flags at least ``count`` of ``risks``; above all of them for 0."""
    if count == 0:
        return float(np.nextafter(risks.max(), np.inf))
    return float(np.partition(risks, -count)[-count])


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
