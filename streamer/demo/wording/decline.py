"""Alerts of households that are being lost: what changed, and what it costs.

``came every 6 days for half a year, now 16 days away (2.7 times as long); usually 82 USD a month``
"""

from __future__ import annotations

from typing import Final

from schemas.alert import Alert, AlertData, DriverCode, DriverMessage
from schemas.parts import UsualMessage
from streamer.demo.wording.figures import (
    about_days,
    count,
    count_of,
    habit,
    in_days,
    in_months,
    money,
    percent,
)

LONG_AWAY: Final = 1.5
"""Usual gaps without a visit that are worth saying; below, the visits are what changed."""

MUCH_LESS: Final = 0.75
"""Of the usual: what is done less than that has changed."""


def tells_decline(data: AlertData) -> bool:
    """Whether the alert's risk is that of a decline, not of absence."""
    return data.absence is not None


def decline_alert_in_words(alert: Alert) -> str:
    """An open revision of an alert whose risk is that of a decline."""
    data = alert.data
    usual, overdue = data.usual, data.overdue
    if usual is None or overdue is None:
        return f"{habit(None)}, away for {in_days(_away(data))} — {_at_stake(data)}"
    match alert.type:
        case "churn.alert.raised.v1":
            changed = _came(data, usual, overdue)
        case "churn.alert.deescalated.v1":
            changed = f"less at stake than before: {_instead(data, usual, overdue)}"
        case _:
            changed = f"still away: {_instead(data, usual, overdue)}"
    told = [part for part in (changed, _lately(data, usual, overdue)) if part]
    return f"{'; '.join(told)} — {_at_stake(data)}"


def _came(data: AlertData, usual: UsualMessage, overdue: float) -> str:
    known = _driver(data, "days_since_first_event")
    lasting = "" if known is None or known.value is None else f" for {in_months(known.value - _away(data))}"
    came = f"came every {about_days(usual.gap_days).removeprefix('a ')}{lasting}"
    away = about_days(_away(data))
    if overdue < LONG_AWAY and away == about_days(usual.gap_days):
        return f"{came}, now due again"
    return f"{came}, now {away} away{_times(overdue)}"


def _instead(data: AlertData, usual: UsualMessage, overdue: float) -> str:
    away, gap = about_days(_away(data)), about_days(usual.gap_days)
    if away == gap:
        return f"{away}, as usual"
    return f"{away} now instead of {gap.removesuffix(' days')}{_times(overdue)}"


def _times(overdue: float) -> str:
    return f" ({overdue:.1f} times as long)" if overdue >= LONG_AWAY else ""


def _lately(data: AlertData, usual: UsualMessage, overdue: float) -> str:
    """What is usual in a month, and how much less it was of late.

    Of visits only where they are what changed: after a long absence that goes without saying.
    """
    visits = None if overdue >= LONG_AWAY else _fallen(data, "visit_days_per_month")
    spending = _fallen(data, "spending_per_month")
    currency = None if data.expected_loss is None else data.expected_loss.currency
    usually = (
        f"usually {money(usual.spend_per_month, currency)} a month" if usual.spend_per_month > 0.0 else ""
    )
    if visits is None:
        return f"{usually}, lately {spending[0]:,.0f}" if usually and spending else usually
    came, instead = count_of(visits[0], "visit"), count(visits[1])
    if usually and spending:
        spent = money(spending[0], currency)
        return f"lately {came} and {spent} a month instead of {instead} and {spending[1]:,.0f}"
    fewer = f"lately {came} a month instead of {instead}"
    return f"{fewer}; {usually}" if usually else fewer


def _at_stake(data: AlertData) -> str:
    likely = f"{percent(data.risk.probability)} likely to come less than half as often"
    loss = data.expected_loss
    if loss is None:
        return f"{likely} within {data.risk.horizon_days:g} days ({data.band})"
    amount = money(loss.amount, loss.currency)
    return f"{likely}; {amount} expected to be lost within {loss.days:g} days ({data.band})"


def _away(data: AlertData) -> float:
    return data.silent_for_s / 86_400


def _driver(data: AlertData, code: DriverCode) -> DriverMessage | None:
    return next((driver for driver in data.drivers if driver.code == code), None)


def _fallen(data: AlertData, code: DriverCode) -> tuple[float, float] | None:
    """A driver's figure and the usual one, where it is much less."""
    driver = _driver(data, code)
    if driver is None or driver.value is None or driver.usual is None:
        return None
    value = max(driver.value, 0.0)
    return (value, driver.usual) if value <= MUCH_LESS * driver.usual and driver.usual > 0.0 else None
