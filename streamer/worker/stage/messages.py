"""The core's values as messages of the contract."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import msgspec

from schemas.alert import (
    BANDS,
    AlertData,
    ExpectedValue,
    NextAction,
    NextCategoryMessage,
    OutlookMessage,
    Risk,
    alert_of,
)
from schemas.alert import DriverMessage as DriverMessage
from schemas.bundle.manifest import Manifest
from schemas.decision import DecisionMessage as DecisionMessage
from schemas.parts import MONTH_DAYS, Absence, Evidence, ExpectedLossMessage, ModelReference, UsualMessage
from schemas.score import RiskPoint, Score
from schemas.timestamps import format_timestamp
from schemas.topics import ALERTS, DECISIONS, SCORES, with_prefix
from schemas.units import DAY_MS
from schemas.wire.encoding import JSON_HEADERS, alert_headers, encode_alert, encode_decision, encode_score
from streamer.core.alerts.decisions import Decision, Driver
from streamer.core.alerts.policy import Policy
from streamer.core.model.outlook import Outlook
from streamer.core.user_state import UserState
from streamer.worker.stage.protocol import Message
from streamer.worker.stage.repartition import unpack_origin

PROBABILITY_DECIMALS = 6
IMPORTANCE_DECIMALS = 4
FIGURE_DECIMALS = 2


class RiskTerms(NamedTuple):
    """What a risk is the probability of: within how many ``days``, and in words for people.

    ``absence_days``: the horizon of absence, where the risk is that of a decline. ``any_event_returns``:
    churn is the absence of any event, not of purchases.
    """

    days: float
    definition: str
    absence_days: float | None = None
    any_event_returns: bool = False


def risk_terms(manifest: Manifest) -> RiskTerms:
    """Of the bundle's risk."""
    any_event_returns = manifest.churn_definition.types == "any"
    days = manifest.risk_days
    if manifest.definition == "decline":
        words = f"fewer than half of this customer's usual visits within {days:g} days"
        return RiskTerms(days, words, manifest.horizon_days, any_event_returns)
    event = "event" if any_event_returns else "purchase"
    return RiskTerms(days, f"no {event} within {days:g} days", None, any_event_returns)


def policy_hash(policy: Policy) -> str:
    """SHA-256 of the policy's settings, in hexadecimal."""
    return sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()


@dataclass(frozen=True)
class Messages:
    """Builds messages that name one model, one policy and one source topic.

    ``currency``: of all amounts, ``None`` where they count whatever theirs.
    """

    topic_prefix: str
    source_topic: str
    model: ModelReference
    risk_terms: RiskTerms
    policy_sha256: str
    silence_grid_ms: tuple[int, ...]
    reference_risk: float | None
    currency: str | None = None

    def alert(self, decision: Decision, partition: int) -> Message:
        """One revision of an alert: a decision that is sent."""
        assert decision.alert_id is not None
        assert decision.revision is not None
        due_ms, usual = decision.next_purchase_ms, decision.usual
        data = AlertData(
            alert_id=decision.alert_id,
            revision=decision.revision,
            user_id=decision.user_id,
            status="resolved" if decision.transition == "resolved" else "open",
            band=BANDS[decision.level - 1],
            risk=Risk(
                round(decision.risk, PROBABILITY_DECIMALS),
                self.risk_terms.days,
                self.risk_terms.definition,
                self.reference_risk,
            ),
            last_event_at=format_timestamp(decision.last_ms),
            silent_for_s=max(decision.decided_ms - decision.last_ms, 0) // 1000,
            reason=decision.reason,
            usual=usual and _usual(usual.visit_days, usual.spend, usual.gap_days),
            overdue=usual and round(usual.overdue, FIGURE_DECIMALS),
            expected_loss=self._expected_loss(decision.loss),
            absence=self._absence(decision.absence),
            drivers=tuple(_driver(driver) for driver in decision.drivers),
            expected_next_purchase_at=None if due_ms is None else format_timestamp(due_ms),
            expected_value=self._expected_value(decision.outlook),
            outlook=_outlook(decision.outlook),
            model=self.model,
            evidence=self._evidence(partition, decision.offset),
        )
        alert = alert_of(data, decision.transition, format_timestamp(decision.decided_ms))
        topic = with_prefix(self.topic_prefix, ALERTS)
        return Message(topic, decision.user_id.encode(), encode_alert(alert), alert_headers(alert))

    def decision(self, decision: Decision) -> Message:
        """A decision with its reason: what stood in the way, or else what brought the alert about."""
        message = DecisionMessage(
            user_id=decision.user_id,
            decided_at=format_timestamp(decision.decided_ms),
            action=decision.action,
            reason=decision.obstacle or decision.reason,
            would=decision.transition,
            risk=round(decision.risk, PROBABILITY_DECIMALS),
            alert_id=decision.alert_id,
            revision=decision.revision,
            policy=self.policy_sha256,
        )
        topic = with_prefix(self.topic_prefix, DECISIONS)
        return Message(topic, decision.user_id.encode(), encode_decision(message), JSON_HEADERS)

    def score(self, user_id: str, state: UserState | None, partition: int) -> Message:
        """The newest score of a user; a true null for one who has been forgotten."""
        topic = self._scores_topic
        if state is None:
            return Message(topic, user_id.encode(), None)
        episode = state.alert_state.episode
        sent = episode if episode is not None and episode.unsent is None else None
        last_ms = state.last_ms
        last_event_at = format_timestamp(last_ms)
        known = not math.isnan(state.usual_visit_days)
        score = Score(
            user_id=user_id,
            scored_at=last_event_at if state.scored_ms == last_ms else format_timestamp(state.scored_ms),
            last_event_at=last_event_at,
            risk=round(state.risk, PROBABILITY_DECIMALS),
            horizon_days=self.risk_terms.days,
            band=BANDS[sent.level - 1] if sent else None,
            alert_id=sent.alert_id if sent else None,
            usual=_usual(state.usual_visit_days, state.usual_spend, state.gap_days) if known else None,
            overdue=self._overdue(state) if known else None,
            expected_loss=self._expected_loss(state.loss) if known else None,
            absence=self._absence(state.absence),
            risk_curve=self._risk_curve(state) if state.curve else (),
            model=self.model,
            evidence=self._evidence(partition, state.offset),
        )
        return Message(topic, user_id.encode(), encode_score(score), JSON_HEADERS)

    @cached_property
    def _scores_topic(self) -> str:
        return with_prefix(self.topic_prefix, SCORES)

    def _risk_curve(self, state: UserState) -> tuple[RiskPoint, ...]:
        return tuple(
            RiskPoint(silence // 1000, round(risk, PROBABILITY_DECIMALS))
            for silence, risk in zip(self.silence_grid_ms, state.absence_curve(), strict=False)
        )

    def _overdue(self, state: UserState) -> float:
        since_ms = max(state.scored_ms - state.last_visit_ms(self.risk_terms.any_event_returns), 0)
        return round(since_ms / DAY_MS / state.gap_days, FIGURE_DECIMALS)

    def _expected_loss(self, loss: float | None) -> ExpectedLossMessage | None:
        if loss is None or math.isnan(loss):
            return None
        return ExpectedLossMessage(round(loss, FIGURE_DECIMALS), self.currency, self.risk_terms.days)

    def _absence(self, probability: float | None) -> Absence | None:
        days = self.risk_terms.absence_days
        if probability is None or days is None:
            return None
        return Absence(round(probability, PROBABILITY_DECIMALS), days)

    def _expected_value(self, outlook: Outlook) -> ExpectedValue | None:
        if outlook.spend is None:
            return None
        return ExpectedValue(round(outlook.spend, FIGURE_DECIMALS), self.currency)

    def _evidence(self, partition: int, offset: int) -> Evidence:
        """Where the shop's own record lies, also if another partition has forwarded it."""
        place = unpack_origin(partition, offset)
        return Evidence(self.source_topic, place.partition, place.offset)


def _driver(driver: Driver) -> DriverMessage:
    return DriverMessage(
        driver.code,
        _figure(driver.value),
        _figure(driver.usual),
        round(driver.importance, IMPORTANCE_DECIMALS),
    )


def _usual(visit_days: float, spend: float, gap_days: float) -> UsualMessage:
    """A month's figures, of those a day."""
    return UsualMessage(
        round(MONTH_DAYS * visit_days, FIGURE_DECIMALS),
        round(MONTH_DAYS * spend, FIGURE_DECIMALS),
        round(gap_days, FIGURE_DECIMALS),
    )


def _outlook(outlook: Outlook) -> OutlookMessage | None:
    action, category = outlook.action, outlook.category
    if action is None and category is None:
        return None
    return OutlookMessage(
        action and NextAction(action.name, round(action.probability, PROBABILITY_DECIMALS)),
        category and NextCategoryMessage(category.name, round(category.probability, PROBABILITY_DECIMALS)),
    )


def _figure(value: float | None) -> float | None:
    return None if value is None else round(value, FIGURE_DECIMALS)
