"""The baselines that alerts are compared with, fitted to what was known before the comparison."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.baselines.logistic import ANY_RECENCY, ANY_RFM, RECENCY, RFM, LogisticRisk
from models.baselines.risk_model import FeatureRiskModel
from models.configuration import ChurnTypes
from models.examples import cut_moments, label
from models.histories import collect
from schemas.errors import ConfigurationError
from schemas.event import Event
from streamer.core.aggregates import DAY_MS
from streamer.core.model import RiskModel

_CUT_EVERY_MS: Final = 7 * DAY_MS


def fit_baselines(
    events: Iterable[Event],
    until_ms: int,
    *,
    churn_types: ChurnTypes,
    horizon_ms: int,
    active_ms: int,
    currency: str | None,
    like: RiskModel,
) -> dict[str, RiskModel]:
    """``recency`` and ``rfm``, fitted to weekly cuts through the events before ``until_ms``.

    Both are asked at the silences of ``like`` and count days by its calendar. Raises
    :class:`~schemas.errors.ConfigurationError` where there are too few events before ``until_ms``.
    """
    histories = collect(events, until_ms, like.calendar, currency)
    earliest_ms = int(histories.times.min(initial=until_ms)) + 2 * horizon_ms
    cuts = np.arange(until_ms - horizon_ms, earliest_ms, -_CUT_EVERY_MS)
    if not len(cuts):
        raise ConfigurationError(
            "the baselines need events from three horizons before --from: give more data"
        )
    examples = label(histories, cut_moments(histories, cuts, active_ms), horizon_ms, churn_types, until_ms)
    if len(np.unique(examples.churned[~np.isnan(examples.churned)])) < 2:
        raise ConfigurationError("before --from all users churned or none did: choose a later --from")
    names = (
        {"recency": RECENCY, "rfm": RFM}
        if churn_types == "purchase"
        else {"recency": ANY_RECENCY, "rfm": ANY_RFM}
    )
    return {
        name: FeatureRiskModel(
            name, LogisticRisk(features, examples), like.silence_grid_ms, like.ring_tokens, like.calendar
        )
        for name, features in names.items()
    }
