"""The baselines that alerts are compared with, fitted to what was known before the comparison."""

from __future__ import annotations

from collections.abc import Iterable

from models.baselines.fit import fit_logistic, lessons
from models.baselines.risk_model import as_model
from models.data.histories import collect
from models.recipe import Task
from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
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

    Both are asked at the silences of ``like`` and count days by its calendar. Raises
    :class:`~schemas.errors.ConfigurationError` where there are too few events before ``until_ms``.
    """
    histories = collect(events, until_ms, like.calendar, currency)
    task = Task(until_ms, horizon_ms, active_ms, churn_types)
    risks = fit_logistic(lessons(histories, task, "--from"), task)
    return {name: as_model(name, risk, like) for name, risk in risks.items()}
