"""The story of one alert: what the household did before and after, and what was sent meanwhile."""

from __future__ import annotations

import msgspec

from schemas.alert import Alert, AlertData
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.demo.audience.alert_log import AlertLog
from streamer.demo.judgement.households import Households
from streamer.demo.page.spending import Spending, spending_of
from streamer.demo.wording.alerts import Tone, alert_in_words, resolution, tone_and_label
from streamer.demo.wording.figures import habit, money, percent
from streamer.demo.wording.outcomes import Outcome, outcome_of

DAYS_BEFORE = 90
DAYS_AFTER_HORIZON = 7


class Revision(msgspec.Struct, frozen=True):
    """One revision of the alert, as a row of its history."""

    kind: str
    tone: Tone
    at_ms: int
    silent_for_s: int
    probability: float
    words: str


class CurvePoint(msgspec.Struct, frozen=True):
    """Risk after so long a silence."""

    silent_for_s: int
    probability: float


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows of an alert; times in epoch milliseconds.

    ``purchases`` lie in [``from_ms``, ``to_ms``] and not beyond ``clock_ms``, the moment that the replay
    has reached. ``due_ms``: when the usual gap since the last visit has passed. ``spending``: where the alert
    says what is usual; else ``curve``, the risk of absence, tells how the alert came about.
    """

    alert_id: str
    user_id: str
    words: str
    habit: str
    from_ms: int
    to_ms: int
    clock_ms: int
    purchases: list[int]
    purchases_so_far: int
    last_purchase_ms: int
    silence_until_ms: int
    due_ms: int | None
    horizon_until_ms: int
    revisions: list[Revision]
    curve: list[CurvePoint]
    spending: Spending | None
    verdict: Outcome
    outcome: str
    model: str


def tell(alert_id: str, alerts: AlertLog, households: Households, clock_ms: int) -> Story | None:
    """The story of an alert as far as ``clock_ms``; ``None`` for an unknown one."""
    revisions = alerts.revisions(alert_id)
    if not revisions:
        return None
    opening = revisions[0]
    user_id, horizon_days = opening.data.user_id, opening.data.risk.horizon_days
    raised_ms = parse_timestamp(opening.time)
    # A resolved alert proves that time has come at least that far.
    clock_ms = max(clock_ms, parse_timestamp(revisions[-1].time))
    following = households.next_purchase(user_id, raised_ms)
    if following is not None and following > clock_ms:
        following = None
    gap_days = households.usual_gap_days(user_id, raised_ms)
    usual = opening.data.usual
    verdict, outcome = outcome_of(opening, households, clock_ms)
    last_ms = parse_timestamp(opening.data.last_event_at)
    from_ms = max(
        min(raised_ms, last_ms) - DAYS_BEFORE * DAY_MS,
        (households.first_ms or 0) - DAY_MS,
    )
    to_ms = raised_ms + int((horizon_days + DAYS_AFTER_HORIZON) * DAY_MS)
    known = households.purchases(user_id, clock_ms)
    return Story(
        alert_id=alert_id,
        user_id=user_id,
        words=alert_in_words(opening, gap_days),
        habit=habit(gap_days if usual is None else usual.gap_days),
        from_ms=from_ms,
        to_ms=to_ms,
        clock_ms=clock_ms,
        purchases=[time for time in known if from_ms <= time <= to_ms],
        purchases_so_far=len(known),
        last_purchase_ms=last_ms,
        silence_until_ms=min(following or clock_ms, to_ms),
        due_ms=None if usual is None else last_ms + int(usual.gap_days * DAY_MS),
        horizon_until_ms=raised_ms + int(horizon_days * DAY_MS),
        revisions=[_revision(alert, opening) for alert in revisions],
        curve=[CurvePoint(point.silent_for_s, point.probability) for point in alerts.curve(alert_id)],
        spending=spending_of(opening, households, clock_ms),
        verdict=verdict,
        outcome=outcome,
        model=f"{opening.data.model.name} {opening.data.model.version}",
    )


def _revision(alert: Alert, opening: Alert) -> Revision:
    data = alert.data
    if data.status == "resolved":
        words = resolution(alert)
    else:
        words = f"{'raised as' if alert is opening else 'now'} {data.band} at {_signal(data)}"
    return Revision(
        kind=alert.type.split(".")[2],
        tone=tone_and_label(alert)[0],
        at_ms=parse_timestamp(alert.time),
        silent_for_s=data.silent_for_s,
        probability=data.risk.probability,
        words=words,
    )


def _signal(data: AlertData) -> str:
    """What the alert goes by."""
    likely = percent(data.risk.probability)
    loss = data.expected_loss
    return likely if loss is None else f"{money(loss.amount, loss.currency)}, {likely} likely"
