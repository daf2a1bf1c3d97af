"""The life of an alert as a state machine: (standing, risk, time, policy) -> (standing, decisions).

Each function updates the standing that it is given and returns decisions; there is no clock and no
input but its arguments. The moments of an alert's revisions never go back, even when a late event is
their cause.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import NamedTuple

from streamer.core.alerts.alert_state import AlertState, Episode
from streamer.core.alerts.decisions import Action, Decision, Obstacle, Reason, Transition
from streamer.core.alerts.policy import WEEK_MS, Policy
from streamer.core.history.calendar import Calendar


class Situation(NamedTuple):
    """A user at a moment. ``signal``: what alerts go by, NaN where it is not known. ``held``: the partition
    lags, so raises and escalations wait.

    ``granted``: whether the raise won a place in the day's budget, ``None`` before it has competed.
    ``open_ms``: days, those of ``calendar``, that ended by then have spent their budget. ``overdue_ms``: from
    when on the user is so overdue that an alert may be raised.
    """

    user_id: str
    partition: int
    offset: int
    now_ms: int
    last_ms: int
    risk: float
    signal: float
    active_days: int
    reason: Reason
    calendar: Calendar
    open_ms: int
    held: bool = False
    granted: bool | None = None
    overdue_ms: int = 0


class Verdict(NamedTuple):
    """``again_ms``: when to ask again whatever the risk does, ``None`` if only the risk can change it.

    ``competes``: the raise is due to compete for the day's budget now; ask again with the result.
    """

    decisions: tuple[Decision, ...] = ()
    again_ms: int | None = None
    competes: bool = False


def consider(alert_state: AlertState, now: Situation, policy: Policy) -> Verdict:
    """Follow the signal: raise, escalate, de-escalate or resolve as recovered, or say when to ask again."""
    if math.isnan(now.signal):
        return _unknown(alert_state, now, policy)
    target = policy.level_from(alert_state.level, now.signal)
    if target > alert_state.level and now.now_ms < now.overdue_ms and _begins(alert_state, now, policy):
        overtaken = _overtaken(alert_state, now)
        alert_state.settle()
        return Verdict(overtaken, again_ms=now.overdue_ms)
    if target == alert_state.level:
        overtaken = _overtaken(alert_state, now)
        alert_state.settle()
        return Verdict(overtaken)
    up = target > alert_state.level
    due_ms = alert_state.lean(up, now.now_ms) + (policy.raise_dwell_ms if up else policy.leave_dwell_ms)
    if now.now_ms < due_ms:
        return Verdict(again_ms=due_ms)
    if not up:
        return Verdict(_lower(alert_state, now, target))
    if alert_state.episode is None:
        return _raise(alert_state, now, target, policy)
    return _escalate(alert_state, now, target, policy)


def resolve(alert_state: AlertState, now: Situation) -> tuple[Decision, ...]:
    """Close the open episode, if there is one, for ``now.reason``; a raise that waited is overtaken."""
    overtaken = _overtaken(alert_state, now)
    alert_state.settle()
    episode = alert_state.episode
    if episode is None:
        return overtaken
    alert_state.episode = None
    alert_state.closed_ms = max(now.now_ms, episode.changed_ms)
    return _transition(episode, now, "resolved", episode.level)


def _unknown(alert_state: AlertState, now: Situation, policy: Policy) -> Verdict:
    """Nothing is usual for the user yet: an alert ends, what was on its way is overtaken, and in silence
    it is put on record that none begins.
    """
    if alert_state.episode is not None:
        return Verdict(resolve(alert_state, now._replace(reason="recovered")))
    overtaken = _overtaken(alert_state, now)
    if not alert_state.is_idle:
        alert_state.settle()
    eligible = now.active_days >= policy.least_active_days and now.now_ms - now.last_ms < policy.horizon_ms
    if now.reason == "silence" and eligible:
        withheld = _withhold(alert_state, now, 1, "no_usual", None)
        return withheld._replace(decisions=overtaken + withheld.decisions)
    return Verdict(overtaken)


def _raise(alert_state: AlertState, now: Situation, level: int, policy: Policy) -> Verdict:
    if now.held and not _before_alerts(now, policy):
        return _withhold(alert_state, now, level, "lag", None)
    if now.active_days < policy.least_active_days:
        return _withhold(alert_state, now, level, "not_eligible", None)
    if now.now_ms - now.last_ms >= policy.horizon_ms:
        return _withhold(alert_state, now, level, "churned", None)
    if alert_state.closed_ms and now.now_ms < (free_ms := alert_state.closed_ms + policy.cooldown_ms):
        return _withhold(alert_state, now, level, "cooldown", free_ms)
    alert_state.raised_ms = tuple(at for at in alert_state.raised_ms if at > now.now_ms - WEEK_MS)
    if len(alert_state.raised_ms) >= policy.weekly_cap:
        return _withhold(alert_state, now, level, "cap", alert_state.raised_ms[-policy.weekly_cap] + WEEK_MS)
    alert_id = alert_id_of(now.user_id, now.now_ms, now.partition, now.offset)
    episode = Episode(alert_id, 0, level, now.now_ms, now.now_ms)
    if _before_alerts(now, policy):
        episode.unsent = "backfill"
    elif policy.daily_budget is not None and not now.granted:
        return _compete(alert_state, now, level)
    else:
        # Who is held out competes and is capped like everybody, or the two groups could not be compared.
        alert_state.raised_ms = (*alert_state.raised_ms, now.now_ms)
        episode.unsent = "held_out" if policy.holds_out(now.user_id) else None
    alert_state.settle()
    alert_state.episode = episode
    return Verdict(_transition(episode, now, "raised", level))


def _compete(alert_state: AlertState, now: Situation, level: int) -> Verdict:
    """Wait for the day's end, compete there, and again on the next day if the place went to others."""
    if alert_state.rank_ms == now.now_ms <= now.open_ms and now.granted is None:
        return Verdict(competes=True)
    newest_ms = max(now.now_ms, now.open_ms)
    if alert_state.rank_ms <= newest_ms:
        # Also who comes too late for the day, and who had to wait while it was shared out.
        alert_state.rank_ms = now.calendar.next_midnight_ms(newest_ms)
    lost = (_decision(now, "suppressed", "raised", level, "budget"),) if now.granted is False else ()
    return Verdict(lost, again_ms=alert_state.rank_ms)


def _escalate(alert_state: AlertState, now: Situation, level: int, policy: Policy) -> Verdict:
    episode = alert_state.episode
    assert episode is not None
    is_news = _begins(alert_state, now, policy)
    # An alert that was sent before ``alerts_from`` was moved to later is followed as any other.
    backfill = episode.unsent == "backfill" and not is_news
    if now.held and not backfill:
        return _withhold(alert_state, now, level, "lag", None)
    if is_news:
        alert_state.episode = None
        verdict = _raise(alert_state, now, level, policy)
        alert_state.episode = alert_state.episode or episode
        return verdict
    alert_state.settle()
    return Verdict(_transition(episode, now, "escalated", level))


def _lower(alert_state: AlertState, now: Situation, level: int) -> tuple[Decision, ...]:
    episode = alert_state.episode
    assert episode is not None
    if level == 0:
        return resolve(alert_state, now._replace(reason="recovered"))
    alert_state.settle()
    return _transition(episode, now, "deescalated", level)


def _withhold(
    alert_state: AlertState, now: Situation, level: int, obstacle: Obstacle, again_ms: int | None
) -> Verdict:
    """Put the obstacle on record once; what only waits for the partition to catch up is not one yet."""
    news = alert_state.obstacle != obstacle and obstacle != "lag"
    alert_state.obstacle = obstacle
    would: Transition = "escalated" if alert_state.episode else "raised"
    decisions = (_decision(now, "suppressed", would, level, obstacle),) if news else ()
    return Verdict(decisions, again_ms)


def _overtaken(alert_state: AlertState, now: Situation) -> tuple[Decision, ...]:
    """What waited for the partition to catch up no longer holds."""
    if alert_state.obstacle != "lag":
        return ()
    would: Transition = "escalated" if alert_state.episode else "raised"
    return (_decision(now, "overtaken", would, alert_state.level + 1, "lag"),)


def _transition(episode: Episode, now: Situation, transition: Transition, level: int) -> tuple[Decision, ...]:
    """Move ``episode`` on, and put that on record whether it is sent or not."""
    episode.level = level
    episode.changed_ms = max(now.now_ms, episode.changed_ms)
    if episode.unsent is not None:
        obstacle: Obstacle = "holdout" if episode.unsent == "held_out" else "alerts_from"
        decision = _decision(now, episode.unsent, transition, level, obstacle)
        return (decision._replace(decided_ms=episode.changed_ms),)
    episode.revision += 1
    decision = _decision(now, "sent", transition, level, None)
    return (
        decision._replace(
            alert_id=episode.alert_id, revision=episode.revision, decided_ms=episode.changed_ms
        ),
    )


def _begins(alert_state: AlertState, now: Situation, policy: Policy) -> bool:
    """Whether a rise is a raise. It also is where the open alert began before alerts were sent: now it is
    news.
    """
    episode = alert_state.episode
    return episode is None or (episode.unsent == "backfill" and not _before_alerts(now, policy))


def _before_alerts(now: Situation, policy: Policy) -> bool:
    return policy.alerts_from_ms is not None and now.now_ms < policy.alerts_from_ms


def _decision(
    now: Situation, action: Action, transition: Transition, level: int, obstacle: Obstacle | None
) -> Decision:
    return Decision(
        now.user_id,
        action,
        transition,
        now.reason,
        obstacle,
        None,
        None,
        level,
        now.risk,
        now.now_ms,
        now.last_ms,
        now.offset,
    )


def alert_id_of(user_id: str, opened_ms: int, partition: int, offset: int) -> str:
    """Identifier of the alert that opens at ``opened_ms``; the same on every replay of the same topic."""
    opening = f"{user_id}\n{opened_ms}\n{partition}\n{offset}"
    return sha256(opening.encode()).hexdigest()[:32]
