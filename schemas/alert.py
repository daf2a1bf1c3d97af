"""The alert: a CloudEvents 1.0 envelope around what a CRM acts on.

A consumer upserts on ``data.alert_id`` and ignores a ``data.revision`` that is not higher than its own.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from schemas.event import EVENT_TYPES
from schemas.parts import (
    Absence,
    Evidence,
    ExpectedLossMessage,
    ModelReference,
    Probability,
    Timestamp,
    UsualMessage,
)

Transition = Literal["raised", "escalated", "deescalated", "resolved"]
AlertType = Literal[
    "churn.alert.raised.v1",
    "churn.alert.escalated.v1",
    "churn.alert.deescalated.v1",
    "churn.alert.resolved.v1",
]
AlertStatus = Literal["open", "resolved"]
Band = Literal["watch", "high", "critical"]
AlertReason = Literal["crossed", "silence", "purchase", "recovered", "expired", "erased", "late_event"]

ALERT_TYPES: Final[dict[Transition, AlertType]] = {
    "raised": "churn.alert.raised.v1",
    "escalated": "churn.alert.escalated.v1",
    "deescalated": "churn.alert.deescalated.v1",
    "resolved": "churn.alert.resolved.v1",
}
BANDS: Final[tuple[Band, ...]] = ("watch", "high", "critical")
"""From the lowest to the highest."""

DriverCode = Literal[
    "days_since_last_purchase",
    "days_since_last_event",
    "visit_days_per_month",
    "spending_per_month",
    "days_since_first_event",
    "recent_actions",
]
"""What a driver may be about; docs/drivers.md tells each one's value and usual value."""

MAX_DRIVERS: Final = 5
DEFAULT_SOURCE: Final = "/churn-streamer"


class Risk(Struct, frozen=True):
    """How likely the user is to be lost, within which horizon, and what lost means.

    ``reference`` is the probability for the model's typical active customer; drivers tell what lies between.
    """

    probability: Probability
    horizon_days: Annotated[float, Meta(gt=0)]
    definition: Annotated[
        str,
        Meta(
            examples=[
                "no purchase within 28 days",
                "fewer than half of this customer's usual visits within 56 days",
            ]
        ),
    ]
    reference: Probability | None = None


class DriverMessage(Struct, frozen=True):
    """One reason for the risk: a quantity of the user, what it usually is, and its share in the risk.

    ``importance`` is in log-odds and signed. Those of an alert add up to the log-odds of its probability less
    those of its reference. ``value`` and ``usual`` are null where there is too little history.
    """

    code: DriverCode
    value: float | None
    usual: float | None
    importance: float


class ExpectedValue(Struct, frozen=True):
    """What the user is expected to spend within the horizon, less refunds; null where too little is known.

    ``currency`` is the deployment's, null where its settings name none.
    """

    amount: float
    currency: str | None


class NextAction(Struct, frozen=True):
    """The likeliest type of the user's next event, and its probability among all types."""

    type: Annotated[str, Meta(description="one of: " + ", ".join(EVENT_TYPES))]
    probability: Probability


class NextCategoryMessage(Struct, frozen=True):
    """The likeliest category of the user's next event.

    Rare categories may share a place in the model with a frequent one, whose name and probability then
    stand for all of them.
    """

    category: str
    probability: Probability


class OutlookMessage(Struct, frozen=True):
    """What the user will probably do once they are back; null for what too little is known of."""

    next_action: NextAction | None
    next_category: NextCategoryMessage | None


class NextBestAction(Struct, frozen=True):
    """The recommended treatment."""

    action: str


class AlertData(Struct, frozen=True, kw_only=True):
    """One revision of one alert.

    ``usual`` is null below four visits, as are ``overdue``, the usual gaps since the last visit, and
    ``expected_loss``, which is null also where amounts are not known. These and ``absence`` are told where
    the risk is that of a decline.
    """

    alert_id: Annotated[str, Meta(min_length=1)]
    revision: Annotated[int, Meta(ge=1, description="from 1, without gaps")]
    user_id: Annotated[str, Meta(min_length=1)]
    status: AlertStatus
    band: Band
    risk: Risk
    last_event_at: Timestamp
    silent_for_s: Annotated[int, Meta(ge=0)]
    reason: AlertReason
    usual: UsualMessage | None = None
    overdue: Annotated[float, Meta(ge=0)] | None = None
    expected_loss: ExpectedLossMessage | None = None
    absence: Absence | None = None
    drivers: Annotated[tuple[DriverMessage, ...], Meta(max_length=MAX_DRIVERS)] = ()
    expected_next_purchase_at: Timestamp | None = None
    expected_value: ExpectedValue | None = None
    outlook: OutlookMessage | None = None
    next_best_action: NextBestAction | None = None
    model: ModelReference
    evidence: Evidence


class Alert(Struct, frozen=True, kw_only=True):
    """CloudEvents 1.0 in structured JSON. ``time`` is the decision in event time, ``subject`` the user."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Meta(min_length=1, description='alert_id + "." + revision')]
    source: Annotated[str, Meta(min_length=1, extra_json_schema={"format": "uri-reference"})]
    type: AlertType
    subject: Annotated[str, Meta(min_length=1)]
    time: Timestamp
    datacontenttype: Literal["application/json"] = "application/json"
    data: AlertData


def alert_of(data: AlertData, transition: Transition, time: str, source: str = DEFAULT_SOURCE) -> Alert:
    """The envelope of one revision; ``time`` is RFC 3339 text (``format_timestamp``)."""
    return Alert(
        id=f"{data.alert_id}.{data.revision}",
        source=source,
        type=ALERT_TYPES[transition],
        subject=data.user_id,
        time=time,
        data=data,
    )
