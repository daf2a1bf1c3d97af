"""What raises a risk: a quantity of the household beside its usual one."""

from __future__ import annotations

from typing import Final, assert_never

from schemas.alert import Alert, DriverCode, DriverMessage
from streamer.demo.wording.figures import in_days

SILENCE_CODES: Final[tuple[DriverCode, ...]] = ("days_since_last_purchase", "days_since_last_event")
"""Drivers that say how long a household has been silent."""


def top_driver(alert: Alert) -> DriverMessage | None:
    """What raises the risk most; ``None`` where nothing does, or the alert does not say."""
    raising = [driver for driver in alert.data.drivers if driver.importance > 0]
    return max(raising, key=lambda driver: driver.importance, default=None)


def driver_in_words(driver: DriverMessage) -> str:
    """The user's figure beside their usual one: ``last purchase 41 days ago; usually every 9``."""
    value, usual = driver.value, driver.usual
    match driver.code:
        case "days_since_last_purchase":
            return "no purchase yet" if value is None else f"last purchase {_ago(value, usual)}"
        case "days_since_last_event":
            return "never seen before" if value is None else f"last seen {_ago(value, usual)}"
        case "visit_days_per_month":
            if value is None:
                return "too new for a usual pace of visits"
            usually = "" if usual is None else f"; usually {usual:.1f}"
            return f"{value:.1f} visits a month lately{usually}"
        case "spending_per_month":
            if value is None:
                return "too new for a usual spending"
            usually = "" if usual is None else f"; usually {round(usual):,}"
            return f"spends {round(value):,} a month lately{usually}"
        case "days_since_first_event":
            return "not known before" if value is None else f"first seen {in_days(value)} ago"
        case "recent_actions":
            return "what it did last, and in which order"
        case _:
            assert_never(driver.code)


def _ago(days: float, usual_days: float | None) -> str:
    if usual_days is None:
        return f"{in_days(days)} ago"
    usual = round(usual_days)
    return f"{in_days(days)} ago; usually every {'day' if usual <= 1 else usual}"
