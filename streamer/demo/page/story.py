"""The story of one alert: what the household did before and after, and how its risk grew in silence."""

from __future__ import annotations

import msgspec

from schemas.alert import Alert
from schemas.timestamps import parse_timestamp
from schemas.units import DAY_MS
from streamer.demo.audience.alert_log import AlertLog
from streamer.demo.judgement.households import Households
from streamer.demo.wording import (
    Tone,
    alert_in_words,
    habit,
    outcome_in_words,
    percent,
    resolution,
    tone_and_label,
)

DAYS_BEFORE = 90
DAYS_AFTER = 35


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
    has reached. ``verdict``: returned, gone or open.
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
    horizon_until_ms: int
    revisions: list[Revision]
    curve: list[CurvePoint]
    verdict: str
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
    verdict, outcome = outcome_in_words(raised_ms, following, clock_ms, horizon_days)
    last_ms = parse_timestamp(opening.data.last_event_at)
    from_ms = max(
        min(raised_ms, last_ms) - DAYS_BEFORE * DAY_MS,
        (households.first_ms or 0) - DAY_MS,
    )
    to_ms = raised_ms + DAYS_AFTER * DAY_MS
    known = households.purchases(user_id, clock_ms)
    return Story(
        alert_id=alert_id,
        user_id=user_id,
        words=alert_in_words(opening, gap_days),
        habit=habit(gap_days),
        from_ms=from_ms,
        to_ms=to_ms,
        clock_ms=clock_ms,
        purchases=[time for time in known if from_ms <= time <= to_ms],
        purchases_so_far=len(known),
        last_purchase_ms=last_ms,
        silence_until_ms=min(following or clock_ms, to_ms),
        horizon_until_ms=raised_ms + int(horizon_days * DAY_MS),
        revisions=[_revision(alert, opening) for alert in revisions],
        curve=[CurvePoint(point.silent_for_s, point.probability) for point in alerts.curve(alert_id)],
        verdict=verdict,
        outcome=outcome,
        model=f"{opening.data.model.name} {opening.data.model.version}",
    )


def _revision(alert: Alert, opening: Alert) -> Revision:
    data = alert.data
    if data.status == "resolved":
        words = resolution(alert)
    elif alert is opening:
        words = f"raised as {data.band} at {percent(data.risk.probability)}"
    else:
        words = f"now {data.band} at {percent(data.risk.probability)}"
    return Revision(
        kind=alert.type.split(".")[2],
        tone=tone_and_label(alert)[0],
        at_ms=parse_timestamp(alert.time),
        silent_for_s=data.silent_for_s,
        probability=data.risk.probability,
        words=words,
    )
