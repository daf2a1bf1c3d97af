"""Days, shares and amounts as people say them."""

from __future__ import annotations


def in_days(days: float) -> str:
    """``1 day``, ``19 days``; ``less than a day`` below one."""
    whole = int(days)
    if whole < 1:
        return "less than a day"
    return "1 day" if whole == 1 else f"{whole} days"


def about_days(days: float) -> str:
    """The nearest that is worth saying: ``a day``, ``2.5 days``, ``16 days``."""
    near = round(2 * days) / 2 if days < 3 else round(days)
    return "a day" if near <= 1 else f"{near:g} days"


def in_months(days: float) -> str:
    """``half a year``, ``a year``, ``9 months``, or days below two of them."""
    months = round(days / (365.25 / 12))
    named = {6: "half a year", 12: "a year"}
    return in_days(days) if months < 2 else named.get(months, f"{months} months")


def percent(share: float) -> str:
    """``62 %``; never 0 % or 100 % for what is not certain."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    if rounded == 100 and share < 1:
        return "over 99 %"
    return f"{rounded} %"


def money(amount: float, currency: str | None) -> str:
    """``1,235 USD``; what is not known is not said."""
    return f"{amount:,.0f} {currency or ''}".rstrip()


def count(number: float) -> str:
    """``14``, ``1.6``: of a few, parts are worth saying."""
    return f"{number:.1f}".removesuffix(".0") if number < 3 else f"{number:,.0f}"


def count_of(number: float, what: str) -> str:
    """``1 day``, ``3 days``, ``1.6 visits``."""
    shown = count(number)
    return f"{shown} {what}" if shown == "1" else f"{shown} {what}s"


def habit(usual_gap_days: float | None) -> str:
    """How often a household shops: ``usually shops every 5 days``."""
    if usual_gap_days is None:
        return "has shopped only once or twice"
    days = round(usual_gap_days)
    return "usually shops every day" if days <= 1 else f"usually shops every {days} days"
