"""How well decline and spending are foretold: by a first fit, at the newest moment whose window is over."""

from __future__ import annotations

import numpy as np

from models.data.examples import Decline, label, nobody_active
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.fit.calibration import fit_level
from models.fit.rank_correlation import rank_correlation
from models.fit.training import foretold_decline, outputs_of
from models.network.network import Network
from models.recipe import Task
from schemas.errors import ConfigurationError
from streamer.core.model.risk_metrics import auroc, brier, ece


def judge_decline(network: Network, histories: Histories, task: Task, decline: Decline) -> dict[str, float]:
    """Figures for the manifest, of ``network``, which knows nothing of the last window.

    Levels are those of the same outcomes, which flatters ECE and not AUROC. Raises
    :class:`~schemas.errors.ConfigurationError` where all declined or nobody did.
    """
    moments = cut_moments(histories, np.array([task.until_ms - decline.window_ms]), task.active_ms)
    if not len(moments.event):
        raise nobody_active()
    asked = label(histories, moments, task.horizon_ms, task.churn_types, task.until_ms, decline=decline)
    known = ~np.isnan(asked.declined)
    declined = asked.declined[known]
    if len(np.unique(declined)) < 2:
        raise ConfigurationError(
            "within the last --window all customers came on fewer than half of their usual days, or none "
            "did: choose another --window or --train-until, or --definition absence"
        )
    outputs = outputs_of(network, histories, moments.event, asked.features)
    logits, expected = foretold_decline(network, outputs)
    probabilities = fit_level(logits[known], declined).probability(logits[known])
    figures = {
        "n": float(len(declined)),
        "base_rate": float(declined.mean()),
        "auroc": auroc(declined, probabilities),
        "brier": brier(declined, probabilities),
        "ece": ece(declined, probabilities),
    }
    amounts = ~np.isnan(asked.spend)
    if (asked.spend[amounts] > 0).any():
        actual = asked.spend[amounts].astype(np.float64)
        figures["spend_spearman"] = rank_correlation(actual, expected[amounts])
    return {f"validation_decline_{name}": value for name, value in figures.items()}
