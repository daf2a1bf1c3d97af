"""The closing check: risks and alerts that came out of Kafka against what the households did. Pure.

Churn is no purchase in [T, T + H); those at risk had an event in the 60 days before T. An alert is right
when no purchase follows within the horizon; one raised less than a horizon before the end of the data is
not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.core.model.risk_metrics import auroc, brier, ece
from streamer.demo.judgement.households import Households


class Snapshot(NamedTuple):
    """The newest published score of every user, read at one moment of event time.

    ``risk`` ``[users]``: probability of absence at ``at_ms``; ``last_ms`` ``[users]``: newest event.
    """

    at_ms: int
    user_ids: list[str]
    risk: npt.NDArray[np.float64]
    last_ms: npt.NDArray[np.int64]


class RaisedAlert(NamedTuple):
    """The opening of an alert."""

    user_id: str
    decided_ms: int


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of the published risks of absence at one moment.

    Precision to F1 are those of a risk that is high enough to say churn.
    """

    at: str
    horizon_days: float
    active_days: float
    n: int
    base_rate: float
    auroc: float
    brier: float
    ece: float
    precision: float
    recall: float
    f1: float


class Confrontation(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts raised in [``since``, ``until``] and how many were right.

    ``median_lead_days``: over right alerts, from the alert until a horizon after the last purchase.
    """

    since: str
    until: str
    horizon_days: float
    judged: int
    right: int
    too_late_to_judge: int
    median_lead_days: float | None


def evaluate(
    snapshot: Snapshot, households: Households, horizon_days: float, active_days: float, edge: float
) -> Evaluation:
    """Judge a snapshot, in which a risk of ``edge`` or more says churn.

    Without anybody at risk every figure is 0.
    """
    horizon_ms = int(horizon_days * DAY_MS)
    chosen = snapshot.last_ms >= snapshot.at_ms - int(active_days * DAY_MS)
    churned = np.array(
        [
            not households.purchase_within(user_id, snapshot.at_ms, snapshot.at_ms + horizon_ms)
            for user_id, is_chosen in zip(snapshot.user_ids, chosen, strict=True)
            if is_chosen
        ],
        dtype=np.bool_,
    )
    risk = snapshot.risk[chosen]
    flagged = risk >= edge
    both = 0 < churned.sum() < len(churned)
    hits = int((flagged & churned).sum())
    precision = _share(hits, int(flagged.sum()))
    recall = _share(hits, int(churned.sum()))
    return Evaluation(
        at=format_timestamp(snapshot.at_ms),
        horizon_days=horizon_days,
        active_days=active_days,
        n=len(churned),
        base_rate=_share(int(churned.sum()), len(churned)),
        auroc=float(auroc(churned, risk)) if both else 0.0,
        brier=float(brier(churned, risk)) if len(churned) else 0.0,
        ece=float(ece(churned, risk)) if len(churned) else 0.0,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


def confront(
    alerts: Sequence[RaisedAlert], households: Households, since_ms: int, end_ms: int, horizon_days: float
) -> Confrontation:
    """Judge the alerts raised from ``since_ms`` until a horizon before ``end_ms``, the end of the data."""
    horizon_ms = int(horizon_days * DAY_MS)
    judged = [alert for alert in alerts if since_ms <= alert.decided_ms <= end_ms - horizon_ms]
    leads_ms: list[int] = []
    for alert in judged:
        following = households.next_purchase(alert.user_id, alert.decided_ms)
        if following is None or following > alert.decided_ms + horizon_ms:
            last_ms = households.purchases(alert.user_id, alert.decided_ms)[-1]
            leads_ms.append(last_ms + horizon_ms - alert.decided_ms)
    return Confrontation(
        since=format_timestamp(since_ms),
        until=format_timestamp(end_ms - horizon_ms),
        horizon_days=horizon_days,
        judged=len(judged),
        right=len(leads_ms),
        too_late_to_judge=sum(alert.decided_ms > max(end_ms - horizon_ms, since_ms - 1) for alert in alerts),
        median_lead_days=round(median(leads_ms) / DAY_MS, 3) if leads_ms else None,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
