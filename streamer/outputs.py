"""The core's values as messages of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import msgspec

from schemas.alert import BANDS, AlertData, Risk, alert_of
from schemas.bundle import ChurnDefinition
from schemas.decision import Decision
from schemas.encoding import JSON_HEADERS, alert_headers, encode_alert, encode_decision, encode_score
from schemas.parts import Evidence, ModelReference
from schemas.score import RiskPoint, Score
from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, DECISIONS, SCORES, with_prefix
from streamer.core.changes import AlertChange
from streamer.core.policy import Policy
from streamer.core.user_state import UserState
from streamer.stage import Message

PROBABILITY_DECIMALS = 6


def churn_in_words(churn: ChurnDefinition, horizon_days: float) -> str:
    """What the risk is the probability of, for people: ``no purchase within 28 days``."""
    event = "purchase" if churn.types == "purchase" else "event"
    return f"no {event} within {horizon_days:g} days"


def policy_hash(policy: Policy) -> str:
    """SHA-256 of the policy's settings, in hexadecimal."""
    return sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()


@dataclass(frozen=True)
class Messages:
    """Builds messages that name one model, one policy and one source topic."""

    topic_prefix: str
    source_topic: str
    model: ModelReference
    horizon_days: float
    definition: str
    policy_sha256: str
    silence_grid_ms: tuple[int, ...]

    def alert(self, change: AlertChange, partition: int) -> Message:
        """One revision of an alert."""
        data = AlertData(
            alert_id=change.alert_id,
            revision=change.revision,
            user_id=change.user_id,
            status="resolved" if change.kind == "resolved" else "open",
            band=BANDS[change.level - 1],
            risk=Risk(round(change.risk, PROBABILITY_DECIMALS), self.horizon_days, self.definition),
            last_event_at=format_timestamp(change.last_ms),
            silent_for_s=max(change.decided_ms - change.last_ms, 0) // 1000,
            reason=change.reason,
            model=self.model,
            evidence=Evidence(self.source_topic, partition, change.offset),
        )
        alert = alert_of(data, change.kind, format_timestamp(change.decided_ms))
        topic = with_prefix(self.topic_prefix, ALERTS)
        return Message(topic, change.user_id.encode(), encode_alert(alert), alert_headers(alert))

    def decision(self, change: AlertChange) -> Message:
        """The decision behind an alert that was sent."""
        decision = Decision(
            user_id=change.user_id,
            decided_at=format_timestamp(change.decided_ms),
            action="sent",
            reason=change.reason,
            would=change.kind,
            risk=round(change.risk, PROBABILITY_DECIMALS),
            alert_id=change.alert_id,
            revision=change.revision,
            policy=self.policy_sha256,
        )
        topic = with_prefix(self.topic_prefix, DECISIONS)
        return Message(topic, change.user_id.encode(), encode_decision(decision), JSON_HEADERS)

    def score(self, user_id: str, state: UserState | None, partition: int) -> Message:
        """The newest score of a user; a true null for one who has been forgotten."""
        topic = with_prefix(self.topic_prefix, SCORES)
        if state is None:
            return Message(topic, user_id.encode(), None)
        curve = zip(self.silence_grid_ms, state.risk_curve(), strict=False)
        score = Score(
            user_id=user_id,
            scored_at=format_timestamp(state.scored_ms),
            last_event_at=format_timestamp(state.last_ms),
            risk=round(state.risk, PROBABILITY_DECIMALS),
            horizon_days=self.horizon_days,
            band=BANDS[state.episode.level - 1] if state.episode else None,
            alert_id=state.episode.alert_id if state.episode else None,
            risk_curve=tuple(
                RiskPoint(silence // 1000, round(risk, PROBABILITY_DECIMALS)) for silence, risk in curve
            ),
            model=self.model,
            evidence=Evidence(self.source_topic, partition, state.offset),
        )
        return Message(topic, user_id.encode(), encode_score(score), JSON_HEADERS)
