"""What a household did after an alert, as far as it is known: a verdict and a sentence."""

from __future__ import annotations

from typing import Literal

from schemas.alert import Alert
from schemas.parts import MONTH_DAYS, UsualMessage
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.core.history.usual import DECLINE_SHARE
from streamer.demo.judgement.households import Households
from streamer.demo.wording.figures import count_of, in_days, money

Outcome = Literal["returned", "gone", "open"]
"""Came back, or kept coming; stayed away, or came less; not known yet."""


def outcome_of(opening: Alert, households: Households, clock_ms: int) -> tuple[Outcome, str]:
    """What became of an alert's household by ``clock_ms``, by what the alert says of it."""
    data, alert_ms = opening.data, parse_timestamp(opening.time)
    days = data.risk.horizon_days
    if data.absence is not None and data.usual is not None:
        until_ms = min(clock_ms, alert_ms + round(days * DAY_MS))
        return decline_in_words(
            households.visit_days(data.user_id, alert_ms, until_ms),
            households.spent(data.user_id, alert_ms, until_ms),
            data.usual,
            (clock_ms - alert_ms) / DAY_MS,
            days,
            None if data.expected_loss is None else data.expected_loss.currency,
        )
    following = households.next_purchase(data.user_id, alert_ms)
    return outcome_in_words(
        alert_ms, following if following is not None and following <= clock_ms else None, clock_ms, days
    )


def decline_in_words(
    visits: int,
    spent: float,
    usual: UsualMessage,
    since_days: float,
    window_days: float,
    currency: str | None,
) -> tuple[Outcome, str]:
    """What a household did in the ``window_days`` after an alert, ``since_days`` ago, beside what is usual.

    It is ``gone`` when it came on fewer than half of its usual days, ``returned`` when it did not, and
    ``open`` as long as either can be.
    """
    usual_visits = usual.visits_per_month / MONTH_DAYS * window_days
    usual_spend = usual.spend_per_month / MONTH_DAYS * window_days
    came = f"came on {count_of(visits, 'day')} and spent {money(spent, currency)}"
    usually = f"usually on {count_of(usual_visits, 'day')} and {money(usual_spend, currency)}"
    kept_up = visits >= DECLINE_SHARE * usual_visits
    if since_days <= window_days:
        sentence = f"{_so_far(since_days)} it {came}; {usually} in {window_days:g} days."
        return ("returned", sentence) if kept_up else ("open", f"{sentence} Too early to tell.")
    return (
        "returned" if kept_up else "gone",
        f"In the {window_days:g} days after the alert it {came}; {usually}.",
    )


def _so_far(days: float) -> str:
    return f"In the {in_days(days)} since the alert" if days >= 2 else "Since the alert"


def outcome_in_words(
    alert_ms: int, next_purchase_ms: int | None, clock_ms: int, horizon_days: float
) -> tuple[Outcome, str]:
    """What a household did after an alert, as far as ``clock_ms``: a verdict and a sentence.

    The verdict is ``returned`` (bought within the horizon), ``gone`` (did not) or ``open`` (not known yet).
    """
    horizon_ms = horizon_days * DAY_MS
    if next_purchase_ms is not None:
        after = (next_purchase_ms - alert_ms) / DAY_MS
        if next_purchase_ms - alert_ms <= horizon_ms:
            return "returned", f"Shopped again {in_days(after)} after the alert."
        return "gone", f"Shopped again only {in_days(after)} after the alert."
    since = (clock_ms - alert_ms) / DAY_MS
    if clock_ms - alert_ms > horizon_ms:
        return "gone", f"Not seen again since the alert, {in_days(since)} ago."
    return "open", f"Not seen since the alert, {in_days(since)} ago; too early to tell."
