"""The life of an alert: a state machine over a user's open episode.

Each function updates ``state.episode`` and returns the change to send, if any. The moments of an
alert's revisions never go back, even when a late event is their cause.
"""

from __future__ import annotations

from hashlib import sha256

from streamer.core.changes import AlertChange, AlertKind, Reason
from streamer.core.policy import Policy
from streamer.core.user_state import Episode, UserState


def alert_id_of(user_id: str, opened_ms: int, partition: int, offset: int) -> str:
    """Identifier of the alert that opens at ``opened_ms``; the same on every replay of the same topic."""
    opening = f"{user_id}\n{opened_ms}\n{partition}\n{offset}"
    return sha256(opening.encode()).hexdigest()[:32]


def consider_risk(
    user_id: str, partition: int, state: UserState, decided_ms: int, reason: Reason, policy: Policy
) -> AlertChange | None:
    """Raise or escalate if ``state.risk`` has reached a band above the open episode's."""
    level = policy.level(state.risk)
    episode = state.episode
    if episode is None:
        if level == 0:
            return None
        alert_id = alert_id_of(user_id, decided_ms, partition, state.offset)
        state.episode = Episode(alert_id, 1, level, decided_ms, decided_ms)
        return _change(user_id, state, "raised", reason, state.episode)
    if level <= episode.level:
        return None
    state.episode = _revised(episode, level, decided_ms)
    return _change(user_id, state, "escalated", reason, state.episode)


def resolve(user_id: str, state: UserState, decided_ms: int, reason: Reason) -> AlertChange | None:
    """Close the open episode, if there is one."""
    if state.episode is None:
        return None
    closed = _revised(state.episode, state.episode.level, decided_ms)
    state.episode = None
    return _change(user_id, state, "resolved", reason, closed)


def _revised(episode: Episode, level: int, decided_ms: int) -> Episode:
    moment = max(decided_ms, episode.changed_ms)
    return Episode(episode.alert_id, episode.revision + 1, level, episode.opened_ms, moment)


def _change(user_id: str, state: UserState, kind: AlertKind, reason: Reason, episode: Episode) -> AlertChange:
    return AlertChange(
        user_id,
        kind,
        reason,
        episode.alert_id,
        episode.revision,
        episode.level,
        state.risk,
        episode.changed_ms,
        state.last_ms,
        state.offset,
    )
