"""What is at stake with a customer: from when on an alert may be raised, and what it then tells."""

from __future__ import annotations

import math

from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision, UsualFigures
from streamer.core.alerts.policy import Policy
from streamer.core.history.usual import overdue_from_ms
from streamer.core.insights.rhythm import expected_next_purchase_ms
from streamer.core.user_state import UserState


def overdue_ms_of(state: UserState, policy: Policy, any_event_returns: bool) -> int:
    """From when on the user is so overdue that an alert may be raised, epoch ms; 0 for at any time."""
    if not policy.least_overdue or math.isnan(state.usual_visit_days):
        return 0
    return overdue_from_ms(state.last_visit_ms(any_event_returns), state.gap_days, policy.least_overdue)


def was_on_time(state: UserState, policy: Policy, any_event_returns: bool, visit_ms: int) -> bool:
    """Whether a visit that is the last one shows that the open alert is about a user who was on time."""
    episode = state.alert_state.episode
    if episode is None or visit_ms != state.last_visit_ms(any_event_returns):
        return False
    return episode.opened_ms < overdue_ms_of(state, policy, any_event_returns)


def with_stakes(
    decision: Decision, state: UserState, *, foretells_decline: bool, any_event_returns: bool
) -> Decision:
    """``decision`` with when the next purchase is due, and what is usual where the model tells of decline.

    It is then due a usual gap after the last visit. Nothing is told where nothing is usual yet.
    """
    if not foretells_decline:
        return decision._replace(next_purchase_ms=expected_next_purchase_ms(state.running))
    loss = None if math.isnan(state.loss) else state.loss
    decision = decision._replace(absence=state.absence, loss=loss)
    if math.isnan(state.usual_visit_days):
        return decision
    last_visit_ms, gap_days = state.last_visit_ms(any_event_returns), state.gap_days
    overdue = max(decision.decided_ms - last_visit_ms, 0) / DAY_MS / gap_days
    usual = UsualFigures(state.usual_visit_days, state.usual_spend, gap_days, overdue)
    return decision._replace(usual=usual, next_purchase_ms=last_visit_ms + round(gap_days * DAY_MS))
