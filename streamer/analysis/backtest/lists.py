"""The lists of alerts that are compared at one number a week, each by its model and under its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from streamer.analysis.backtest.absence_model import AbsenceModel
from streamer.analysis.backtest.budget import policy_for
from streamer.core.alerts.policy import Policy
from streamer.core.model.risk_model import RiskModel
from streamer.policy.file import LEAST_OVERDUE, LOSS_HYSTERESIS, WIDEST_HYSTERESIS

BUNDLE: Final = "bundle"
BY_ABSENCE: Final = ("absence", "recency", "rfm")
"""Lists by the risk of no event within the horizon, under the rules that absence has: nobody is on time."""

_GUESSED_RISK: Final = 0.3


class AlertList(NamedTuple):
    """``policy``: the rules, whose bands are yet to be laid. ``guess``: the edge that is tried first."""

    model: RiskModel
    policy: Policy
    guess: float


def lists_of(
    model: RiskModel, policy: Policy, horizon_ms: int, baselines: Mapping[str, RiskModel]
) -> dict[str, AlertList]:
    """By name: the bundle's ``model`` under ``policy``, its absence alone, and the ``baselines``.

    ``horizon_ms``: that of absence. ``model`` foretells decline. Lists by a risk of decline, or by the money
    lost by it, have the overdue gate that goes with them.
    """
    models = {BUNDLE: model, BY_ABSENCE[0]: AbsenceModel(model), **baselines}
    return {name: _list(name, each, policy, horizon_ms) for name, each in models.items()}


def _list(name: str, model: RiskModel, policy: Policy, horizon_ms: int) -> AlertList:
    alike = policy_for(name, policy)
    if name == BUNDLE:
        return AlertList(model, alike, policy.edges[0])
    by_loss = model.decline is not None and model.decline.loss is not None
    edge = policy.edges[0] if by_loss and policy.alert_by == "loss" else 1.0 if by_loss else _GUESSED_RISK
    rules = msgspec.structs.replace(
        alike,
        alert_by="loss" if by_loss else "probability",
        edges=(edge, 2.0 * edge, 3.0 * edge),
        hysteresis=LOSS_HYSTERESIS if by_loss else WIDEST_HYSTERESIS,
        least_overdue=0.0 if name in BY_ABSENCE else max(policy.least_overdue, LEAST_OVERDUE),
        least_loss=0.0,
    )
    if name in BY_ABSENCE and name != "recency":
        rules = msgspec.structs.replace(rules, horizon_ms=horizon_ms)
    return AlertList(model, rules, edge)
