"""Alerts against what the users did afterwards. Pure.

An alert is right when no event of the churn kind follows within the horizon. Those raised less than a
horizon before the end of the files are not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

import msgspec

from schemas.units import DAY_MS
from streamer.analysis.backtest.outcomes import Outcomes, Silence
from streamer.analysis.uplift.proportions import Interval, wilson
from streamer.core.alerts.decisions import Decision

WEEK_MS: Final = 7 * DAY_MS
MONTH_MS: Final = 365.25 / 12 * DAY_MS


class Period(msgspec.Struct, frozen=True):
    """Alerts raised in [``from_ms``, ``to_ms``] (epoch ms) are judged by the ``horizon_ms`` after each."""

    from_ms: int
    to_ms: int
    horizon_ms: int

    def covers(self, at_ms: int) -> bool:
        """Whether an alert raised then is judged."""
        return self.from_ms <= at_ms <= self.to_ms

    @property
    def weeks(self) -> float:
        """Length in weeks."""
        return (self.to_ms - self.from_ms) / WEEK_MS

    @property
    def months(self) -> float:
        """Length in mean months."""
        return (self.to_ms - self.from_ms) / MONTH_MS


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """``alerts`` raised and sent in the period; ``right``: no return within the horizon.

    ``recall``: of the departures (see :meth:`Outcomes.departures`), the share with a right alert.
    ``median_lead_days``: over right alerts, from the alert until a horizon after the last event of the kind.
    ``flapping``: the share of alerts de-escalated or resolved within a week, save by an event of the churn
    kind. Figures without a base are ``None``.
    """

    alerts: int
    alerts_a_week: float
    alerts_per_user_and_month: float
    right: int
    precision: float | None
    precision_interval: Interval | None
    departures: int
    recall: float | None
    median_lead_days: float | None
    flapping: float | None


def raised_in(decisions: Iterable[Decision], period: Period) -> list[Decision]:
    """The raises that were sent and are judged."""
    return [
        decision
        for decision in decisions
        if decision.action == "sent"
        and decision.transition == "raised"
        and period.covers(decision.decided_ms)
    ]


def judge(decisions: Sequence[Decision], outcomes: Outcomes, period: Period, users: int) -> Judgement:
    """Judge what was decided; ``users``: how many were seen by the period's end."""
    raised = raised_in(decisions, period)
    right: list[tuple[Decision, Silence]] = []
    for alert in raised:
        silence = outcomes.silence_at(alert.user_id, alert.decided_ms)
        if silence is None:
            silence = Silence(alert.user_id, alert.last_ms, outcomes.end_ms + period.horizon_ms)
        if silence.next_ms > alert.decided_ms + period.horizon_ms:
            right.append((alert, silence))
    departures = outcomes.departures(period.from_ms, period.to_ms, period.horizon_ms)
    found = {silence for _, silence in right} & departures
    leads = [silence.last_ms + period.horizon_ms - alert.decided_ms for alert, silence in right]
    count = len(raised)
    return Judgement(
        alerts=count,
        alerts_a_week=count / period.weeks,
        alerts_per_user_and_month=count / period.months / max(users, 1),
        right=len(right),
        precision=len(right) / count if count else None,
        precision_interval=wilson(len(right), count) if count else None,
        departures=len(departures),
        recall=len(found) / len(departures) if departures else None,
        median_lead_days=median(leads) / DAY_MS if leads else None,
        flapping=_flapping(decisions, raised, outcomes) / count if count else None,
    )


def _flapping(decisions: Iterable[Decision], raised: Iterable[Decision], outcomes: Outcomes) -> int:
    """How many of the ``raised`` alerts were soon lowered or withdrawn without a return."""
    opened_ms = {alert.alert_id: alert.decided_ms for alert in raised}
    flapped: set[str | None] = set()
    for decision in decisions:
        if decision.action != "sent" or decision.transition not in ("deescalated", "resolved"):
            continue
        if decision.alert_id in opened_ms and decision.decided_ms <= opened_ms[decision.alert_id] + WEEK_MS:
            silence = outcomes.silence_at(decision.user_id, decision.decided_ms)
            if silence is None or silence.last_ms != decision.decided_ms:
                flapped.add(decision.alert_id)
    return len(flapped)
