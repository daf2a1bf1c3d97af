"""One revision of an alert as a sentence, and in a word or two."""

from __future__ import annotations

from typing import Literal

from schemas.alert import Alert, Band, ExpectedValue
from streamer.demo.wording.decline import decline_alert_in_words, tells_decline
from streamer.demo.wording.drivers import SILENCE_CODES, driver_in_words, top_driver
from streamer.demo.wording.figures import habit, in_days, money, percent

Tone = Band | Literal["returned", "gone", "over"]
"""What a colour stands for: a band, a household that came back or stayed away, or an end as such."""


def alert_in_words(alert: Alert, usual_gap_days: float | None) -> str:
    """One revision of an alert: what has changed, what is likely, and what is at stake.

    ``usual_gap_days``: for alerts that do not themselves say what is usual.
    """
    data = alert.data
    if alert.type == "churn.alert.resolved.v1":
        words = resolution(alert)
    elif tells_decline(data):
        words = decline_alert_in_words(alert)
    else:
        words = _absence_in_words(alert, usual_gap_days)
    return f"household {data.user_id}: {words}"


def _absence_in_words(alert: Alert, usual_gap_days: float | None) -> str:
    data = alert.data
    silent = data.silent_for_s / 86_400
    away = (
        f"{percent(data.risk.probability)} likely to stay away another {data.risk.horizon_days:g} days "
        f"({data.band}){stake(data.expected_value)}"
    )
    driver = top_driver(alert)
    because = "" if driver is None else f"; {driver_in_words(driver)}"
    tells_silence = driver is not None and driver.code in SILENCE_CODES
    match alert.type:
        case "churn.alert.raised.v1":
            why = f"silent for {in_days(silent)}{because}"
            if driver is None:
                why = _habit_and_silence(usual_gap_days, silent)
            elif tells_silence:
                why = driver_in_words(driver)
            return f"{why} — {away}"
        case "churn.alert.deescalated.v1":
            return f"less at risk than before{because} — {away}"
        case _:
            after = "" if tells_silence else f" after {in_days(silent)}"
            return f"still silent{after}{because} — {away}"


def stake(expected: ExpectedValue | None) -> str:
    """What is expected to be spent, as the end of a sentence; nothing where that is not known."""
    if expected is None:
        return ""
    return f"; {money(expected.amount, expected.currency)} of spending expected until then"


def _habit_and_silence(usual_gap_days: float | None, silent_days: float) -> str:
    whole = int(silent_days)
    # Both are days, so the unit is said once.
    duration = f"{whole}" if whole > 1 and usual_gap_days is not None else in_days(silent_days)
    return f"{habit(usual_gap_days)}, silent for {duration}"


def resolution(alert: Alert) -> str:
    """Why an alert was resolved."""
    match alert.data.reason:
        case "purchase":
            return "is back and shopped again"
        case "late_event":
            return "was there after all: a purchase arrived late"
        case "expired":
            return f"stayed away for the {alert.data.risk.horizon_days:g} days of the alert"
        case "erased":
            return "erased on request"
        case _ if tells_decline(alert.data):
            return "no longer enough at stake for an alert"
        case _:
            return "no longer at risk"


def tone_and_label(alert: Alert) -> tuple[Tone, str]:
    """What a revision comes to, in a word or two: the band of an open alert, how a resolved one ended."""
    if alert.data.status == "open":
        return alert.data.band, alert.data.band
    match alert.data.reason:
        case "purchase" | "late_event":
            return "returned", "came back"
        case "expired":
            return "gone", "stayed away"
        case "erased":
            return "over", "erased"
        case _:
            return "over", "less at stake" if tells_decline(alert.data) else "less at risk"
