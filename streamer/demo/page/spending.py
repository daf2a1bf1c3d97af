"""What a household spent before and after an alert, in stretches of four weeks."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.alert import Alert
from schemas.parts import MONTH_DAYS
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.demo.judgement.households import Households

STRETCH_DAYS: Final = 28
STRETCHES_BEFORE: Final = 3


class Stretch(msgspec.Struct, frozen=True):
    """Spent from ``from_ms`` until ``to_ms``; what lies behind the replay's clock is not in it."""

    from_ms: int
    to_ms: int
    amount: float


class Spending(msgspec.Struct, frozen=True):
    """``usual``: of a stretch; ``stretches``: side by side, one of them ending with the alert."""

    usual: float
    currency: str | None
    stretches: list[Stretch]


def spending_of(opening: Alert, households: Households, clock_ms: int) -> Spending | None:
    """Around an alert, to the end of what it is for; ``None`` where it does not say what is usual."""
    data, raised_ms = opening.data, parse_timestamp(opening.time)
    if data.usual is None:
        return None
    known_from_ms, stretch_ms = households.first_ms or 0, STRETCH_DAYS * DAY_MS
    after = max(1, round(data.risk.horizon_days / STRETCH_DAYS))
    stretches: list[Stretch] = []
    for number in range(-STRETCHES_BEFORE, after):
        from_ms = raised_ms + number * stretch_ms
        if known_from_ms <= from_ms < clock_ms:
            to_ms = from_ms + stretch_ms
            amount = households.spent(data.user_id, from_ms, min(to_ms, clock_ms))
            stretches.append(Stretch(from_ms, to_ms, round(amount, 2)))
    currency = None if data.expected_loss is None else data.expected_loss.currency
    return Spending(data.usual.spend_per_month / MONTH_DAYS * STRETCH_DAYS, currency, stretches)
