"""The newest score of a user, on a compacted topic. A null record means that the user was erased."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.alert import Band
from schemas.parts import (
    Absence,
    Evidence,
    ExpectedLossMessage,
    ModelReference,
    Probability,
    Timestamp,
    UsualMessage,
)


class RiskPoint(Struct, frozen=True, gc=False):
    """The probability of absence that the user will have once silent for so long."""

    silent_for_s: Annotated[int, Meta(ge=0)]
    probability: Probability


class Score(Struct, frozen=True, kw_only=True, gc=False):
    """Risk at ``scored_at``, of a decline or of absence as the model has it; ``horizon_days`` follows it.

    ``risk_curve`` is that of absence, empty until the silence grid's first step has passed. ``usual``,
    ``overdue``, ``expected_loss`` and ``absence`` are as in alerts.
    """

    user_id: Annotated[str, Meta(min_length=1)]
    scored_at: Timestamp
    last_event_at: Timestamp
    risk: Probability
    horizon_days: Annotated[float, Meta(gt=0)]
    band: Band | None = None
    alert_id: str | None = None
    usual: UsualMessage | None = None
    overdue: Annotated[float, Meta(ge=0)] | None = None
    expected_loss: ExpectedLossMessage | None = None
    absence: Absence | None = None
    risk_curve: tuple[RiskPoint, ...] = ()
    model: ModelReference
    evidence: Evidence
