"""Every decision of the alert policy with its reason, also those after which nothing was sent."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.alert import Transition
from schemas.parts import Probability, Timestamp

DecisionAction = Literal["sent", "suppressed", "held_out", "overtaken", "backfill"]


class DecisionMessage(Struct, frozen=True, kw_only=True):
    """One decision; ``would`` is the alert's transition that was (or would have been) sent."""

    user_id: Annotated[str, Meta(min_length=1)]
    decided_at: Timestamp
    action: DecisionAction
    reason: Annotated[str, Meta(examples=["cooldown", "cap", "budget", "not_eligible", "crossed", "silence"])]
    would: Transition
    risk: Probability | None = None
    alert_id: str | None = None
    revision: Annotated[int, Meta(ge=1)] | None = None
    policy: Annotated[str, Meta(description="SHA-256 of the policy's settings")]
