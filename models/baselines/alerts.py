"""The baselines that alerts are compared with, fitted to what was known before the comparison."""

from __future__ import annotations

from collections.abc import Iterable

from models.baselines.decline import DeclineLessons, DeclineTrees
from models.baselines.fit import fit_logistic, lessons
from models.baselines.overdue import OverdueRisk
from models.baselines.risk_model import FeatureRisk, as_model
from models.data.histories import collect
from models.recipe import Task
from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.core.model.risk_model import RiskModel


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

    Where ``like`` foretells decline also ``overdue``, and ``lightgbm``, trained for decline, which go by it.
    All are asked at the silences of ``like`` and count days by its calendar. Raises
    :class:`~schemas.errors.ConfigurationError` where there are too few events before ``until_ms``.
    """
    histories = collect(events, until_ms, like.calendar, currency)
    task = Task(until_ms, horizon_ms, active_ms, churn_types)
    risks = fit_logistic(lessons(histories, task, "--from"), task)
    models = {name: as_model(name, risk, like) for name, risk in risks.items()}
    if like.decline is None:
        return models
    trees = DeclineTrees(DeclineLessons(histories, task, like.decline, "--from"), task.seed)
    return models | decline_models(trees, like, like.decline)


def decline_models(trees: FeatureRisk, like: RiskModel, terms: DeclineTerms) -> dict[str, RiskModel]:
    """``overdue``, and ``lightgbm`` by ``trees``: its chance of a decline times usual spend, where amounts
    are known.
    """
    by_chance = terms._replace(loss=None)
    by_loss = terms if terms.loss is None else terms._replace(loss=LossTerms("decline"))
    overdue = OverdueRisk(terms.shop, terms.churn_types)
    return {
        "overdue": as_model("overdue", overdue, like, by_chance),
        "lightgbm": as_model("lightgbm", trees, like, by_loss),
    }
