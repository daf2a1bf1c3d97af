"""The transitions of an alert, found by asking the state machine for every state and situation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from schemas.units import DAY_MS
from streamer.core.alerts.alert_state import AlertState, Episode
from streamer.core.alerts.decisions import Decision, Reason
from streamer.core.alerts.lifecycle import Situation, consider, resolve
from streamer.core.alerts.policy import WEEK_MS, Policy
from streamer.core.history.calendar import UTC

_NOON_MS = 2_000 * WEEK_MS + DAY_MS // 2
_POLICY = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS)
_BANDS = ("none", "watch", "high", "critical")
_RISKS = (0.2, 0.5, 0.7, 0.9)
_LONG_AGO_MS = _NOON_MS - 10 * DAY_MS


class TransitionRow(NamedTuple):
    """``again_ms``: how long until the policy looks again by itself, ``None`` if it does not."""

    before: str
    event: str
    decision: str
    after: str
    again_ms: int | None = None


def transitions() -> Iterator[TransitionRow]:
    """Every state with every situation that changes it, or that keeps it from changing."""
    for level in range(4):
        for risk in _RISKS:
            yield _ask(
                level, f"risk in {_BANDS[_POLICY.level(risk)]}" if risk > 0.4 else "risk below watch", risk
            )
    yield _ask(2, "risk just below high, by less than the hysteresis", 0.57)
    for level in (2, 1):
        yield _ask(level, "risk has been below watch for the dwell", 0.2, leaning_ms=_NOON_MS - DAY_MS)
    yield _ask(3, "risk has been in watch for the dwell", 0.5, leaning_ms=_NOON_MS - DAY_MS)
    yield _ask(0, "risk in high, not for the raise dwell yet", 0.7, policy={"raise_dwell_ms": DAY_MS // 2})
    yield from _obstacles()
    yield from _unsent()
    for reason in _closing():
        for level in (0, 2):
            yield _close(level, reason)
    yield _close(0, "purchase", waiting=True)


def _obstacles() -> Iterator[TransitionRow]:
    yield _ask(0, "risk in high, the partition lags", 0.7, held=True)
    yield _ask(1, "risk in high, the partition lags", 0.7, held=True)
    yield _ask(0, "risk below watch, a raise waited for the lag to end", 0.2, obstacle="lag")
    yield _ask(0, "risk in high, too few active days", 0.7, active_days=1)
    yield _ask(0, "risk in high, silent for longer than the horizon", 0.7, silent_ms=30 * DAY_MS)
    yield _ask(0, "risk in high, within the cooldown", 0.7, closed_ms=_NOON_MS - 2 * DAY_MS)
    yield _ask(0, "risk in high, the week's cap is reached", 0.7, raised_ms=(_NOON_MS - 3 * DAY_MS,))
    yield _ask(0, "risk in high, on time for two more days", 0.7, overdue_ms=_NOON_MS + 2 * DAY_MS)
    yield _ask(0, "too few visits for anything to be usual", math.nan)
    yield _ask(2, "too few visits for anything to be usual, by another model", math.nan)
    budget = {"daily_budget": 5}
    yield _ask(0, "risk in high, with a daily budget", 0.7, policy=budget)
    midnight = {"policy": budget, "now_ms": _NOON_MS - DAY_MS // 2, "rank_ms": _NOON_MS - DAY_MS // 2}
    yield _ask(0, "the day ends, and there is a place in the budget", 0.7, granted=True, **midnight)
    yield _ask(0, "the day ends, and the places go to others", 0.7, granted=False, **midnight)


def _unsent() -> Iterator[TransitionRow]:
    held_out = {"holdout_share": 1.0}
    yield _ask(0, "risk in high, the customer is held out", 0.7, policy=held_out)
    yield _ask(1, "risk in high", 0.7, policy=held_out, unsent="held_out")
    before = {"alerts_from_ms": _NOON_MS + DAY_MS}
    since = {"alerts_from_ms": _NOON_MS - DAY_MS}
    yield _ask(0, "risk in high, before alerts are sent", 0.7, policy=before)
    yield _ask(1, "risk in high, before alerts are sent", 0.7, policy=before, unsent="backfill")
    yield _ask(1, "risk in high, before alerts are sent", 0.7, policy=before)
    yield _ask(1, "risk in watch, alerts are sent by now", 0.5, policy=since, unsent="backfill")
    yield _ask(1, "risk in high, alerts are sent by now", 0.7, policy=since, unsent="backfill")


def _closing() -> Sequence[Reason]:
    return [reason for reason in get_args(Reason) if reason not in ("crossed", "silence")]


def _standing(level: int, unsent: Any = None, **changed: Any) -> AlertState:
    alert_state = AlertState(**changed)
    if level:
        alert_state.episode = Episode("a", 1, level, _LONG_AGO_MS, _LONG_AGO_MS, unsent)
    return alert_state


def _situation(risk: float, **changed: Any) -> Situation:
    now_ms = changed.pop("now_ms", _NOON_MS)
    last_ms = now_ms - changed.pop("silent_ms", 10 * DAY_MS)
    return Situation("u", 0, 0, now_ms, last_ms, risk, risk, 5, "silence", UTC, open_ms=now_ms)._replace(
        **changed
    )


def _ask(
    level: int, event: str, risk: float, policy: dict[str, Any] | None = None, **changed: Any
) -> TransitionRow:
    situation = {name: changed.pop(name) for name in _SITUATION & changed.keys()}
    alert_state = _standing(level, **changed)
    before = _state(alert_state)
    now = _situation(risk, **situation)
    verdict = consider(alert_state, now, msgspec.structs.replace(_POLICY, **(policy or {})))
    again_ms = None if verdict.again_ms is None else verdict.again_ms - now.now_ms
    return TransitionRow(before, event, _told(verdict.decisions), _state(alert_state), again_ms)


_SITUATION = {"held", "active_days", "silent_ms", "granted", "now_ms", "overdue_ms"}


def _close(level: int, reason: Reason, *, waiting: bool = False) -> TransitionRow:
    alert_state = _standing(level, obstacle="lag" if waiting else None)
    before = _state(alert_state)
    decisions = resolve(alert_state, _situation(0.2, reason=reason))
    meaning = {
        "purchase": "the customer buys",
        "recovered": "the customer comes back, where any event counts",
        "expired": "the horizon has passed since the raise",
        "late_event": "a late event shows that the alert never held",
        "erased": "the customer is forgotten on request",
    }[reason]
    return TransitionRow(
        before,
        meaning + (", a raise waited for the lag to end" if waiting else ""),
        _told(decisions),
        _state(alert_state),
    )


def _state(alert_state: AlertState) -> str:
    unsent = alert_state.episode.unsent if alert_state.episode else None
    return _BANDS[alert_state.level] + (f" ({unsent.replace('_', ' ')})" if unsent else "")


def _told(decisions: Sequence[Decision]) -> str:
    if not decisions:
        return ""
    (decision,) = decisions
    reason = f" ({decision.reason})" if decision.transition == "resolved" else ""
    obstacle = f": {decision.obstacle}" if decision.obstacle else ""
    return f"{decision.action} {decision.transition}{reason}{obstacle}"
