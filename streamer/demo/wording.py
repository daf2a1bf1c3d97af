"""Alerts and outcomes in plain words. Pure: what to say follows from the arguments alone."""

from __future__ import annotations

from typing import Final, Literal, assert_never

from schemas.alert import Alert, Band, DriverCode, DriverMessage, ExpectedValue
from schemas.units import DAY_MS
from streamer.demo.judgement.evaluation import Confrontation, Evaluation

Tone = Band | Literal["returned", "gone", "over"]
"""What a colour stands for: a band of risk, a household that came back or stayed away, or an end as such."""

SILENCE_CODES: Final[tuple[DriverCode, ...]] = ("days_since_last_purchase", "days_since_last_event")
"""Drivers that say how long a household has been silent."""


def in_days(days: float) -> str:
    """``1 day``, ``19 days``; ``less than a day`` below one."""
    whole = int(days)
    if whole < 1:
        return "less than a day"
    return "1 day" if whole == 1 else f"{whole} days"


def percent(share: float) -> str:
    """``62 %``; never 0 % or 100 % for what is not certain."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    if rounded == 100 and share < 1:
        return "over 99 %"
    return f"{rounded} %"


def habit(usual_gap_days: float | None) -> str:
    """How often a household shops: ``usually shops every 5 days``."""
    if usual_gap_days is None:
        return "has shopped only once or twice"
    days = round(usual_gap_days)
    return "usually shops every day" if days <= 1 else f"usually shops every {days} days"


def alert_in_words(alert: Alert, usual_gap_days: float | None) -> str:
    """One revision of an alert as a sentence: what raises the household's risk most, and what is at stake."""
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
            return f"household {data.user_id}: {why} — {away}"
        case "churn.alert.resolved.v1":
            return f"household {data.user_id}: {resolution(alert)}"
        case "churn.alert.deescalated.v1":
            return f"household {data.user_id}: less at risk than before{because} — {away}"
        case _:
            after = "" if tells_silence else f" after {in_days(silent)}"
            return f"household {data.user_id}: still silent{after}{because} — {away}"


def stake(expected: ExpectedValue | None) -> str:
    """What is expected to be spent, as the end of a sentence; nothing where that is not known."""
    if expected is None:
        return ""
    amount = f"{expected.amount:,.0f} {expected.currency or ''}".rstrip()
    return f"; {amount} of spending expected until then"


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
            return "stayed away for as long as the alert was for"
        case "erased":
            return "erased on request"
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
            return "over", "less at risk"


def outcome_in_words(
    alert_ms: int, next_purchase_ms: int | None, clock_ms: int, horizon_days: float
) -> tuple[str, str]:
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


def evaluation_in_words(evaluation: Evaluation) -> list[str]:
    """The closing check of the scores, a sentence each."""
    if evaluation.n == 0:
        return [f"Nobody had shopped in the {evaluation.active_days:g} days before {evaluation.at[:10]}."]
    return [
        f"On {evaluation.at[:10]} {evaluation.n:,} households had shopped in the last "
        f"{evaluation.active_days:g} days; {percent(evaluation.base_rate)} of them then stayed away for "
        f"{evaluation.horizon_days:g} days.",
        f"Risk ranks who stays away with AUROC {evaluation.auroc:.3f} "
        f"(Brier {evaluation.brier:.3f}, calibration error {evaluation.ece:.3f}).",
        f"Of those whose risk was in a band that day, {percent(evaluation.precision)} stayed away "
        f"(precision): {percent(evaluation.recall)} of all who did (recall; F1 {evaluation.f1:.2f}).",
    ]


def confrontation_in_words(confrontation: Confrontation) -> list[str]:
    """The alerts of the last months against what happened, a sentence each."""
    if confrontation.judged == 0:
        return ["No alert is old enough to be judged."]
    lines = [
        f"Of {confrontation.judged:,} alerts raised from {confrontation.since[:10]} to "
        f"{confrontation.until[:10]}, {confrontation.right:,} were right: "
        f"{percent(confrontation.right / confrontation.judged)} of those households did not shop for "
        f"{confrontation.horizon_days:g} days.",
    ]
    if confrontation.median_lead_days is not None:
        lines.append(
            f"Half of the right alerts came {confrontation.median_lead_days:.1f} days or more before the "
            f"household counted as lost."
        )
    if confrontation.too_late_to_judge:
        lines.append(
            f"{confrontation.too_late_to_judge:,} later alerts are not judged, open or not: the data end "
            f"before their {confrontation.horizon_days:g} days are over."
        )
    return lines
