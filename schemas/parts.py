"""Parts that several messages share."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

Timestamp = Annotated[
    str, Meta(description="RFC 3339, UTC, ending in Z", extra_json_schema={"format": "date-time"})
]
Probability = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, lower-case hexadecimal")]


class ModelReference(Struct, frozen=True, gc=False):
    """The bundle that a figure came from; ``sha256`` is the hash of its ``manifest.json``."""

    name: str
    version: str
    sha256: Sha256


class Evidence(Struct, frozen=True, gc=False):
    """The last record that a decision had seen of its user."""

    topic: str
    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]


MONTH_DAYS: Final = 30.0
"""Of the month that usual figures are of."""


class UsualMessage(Struct, frozen=True):
    """What is usual for the user, as of the last visit: a visit is a day with an event of the churn kind.

    A month has 30 days; ``gap_days`` lie between two visits, a day at least.
    """

    visits_per_month: Annotated[float, Meta(ge=0)]
    spend_per_month: Annotated[float, Meta(ge=0)]
    gap_days: Annotated[float, Meta(ge=1)]


class ExpectedLossMessage(Struct, frozen=True):
    """Money that the user is expected to spend less than usual within so many days.

    ``currency`` is the deployment's, null where its settings name none.
    """

    amount: float
    currency: str | None
    days: Annotated[float, Meta(gt=0)]


class Absence(Struct, frozen=True):
    """How likely it is that the user gives no sign of life within the horizon."""

    probability: Probability
    horizon_days: Annotated[float, Meta(gt=0)]
