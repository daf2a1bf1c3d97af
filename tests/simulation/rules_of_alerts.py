"""The contract of each decision, said as what must hold when it falls."""

from __future__ import annotations

import math
from hashlib import sha256

from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from tests.simulation.customer import SLACK, SLACK_MS, Alert, Customer, Terms, money_slack
from tests.simulation.traffic import Delivery


def check_risk(terms: Terms, customer: Customer, decision: Decision) -> None:
    """The decision's risk, and what is at stake, are those of the user's history at the decision's moment."""
    assert decision.decided_ms >= customer.history.last_ms, "decided before the user's newest event"
    expected = terms.foretold(customer, decision.decided_ms)
    assert abs(decision.risk - expected.risk) < SLACK, f"risk {decision.risk}, not {expected.risk}"
    if decision.action != "sent":
        return
    if terms.model.decline is None:
        assert (decision.absence, decision.loss, decision.usual) == (None, None, None)
        return
    usual, told = terms.usual(customer), decision.usual
    assert decision.absence is not None
    assert abs(decision.absence - expected.absence) < SLACK
    assert (decision.loss is None) == (expected.loss is None) == (told is None) == (usual is None)
    if usual is None or told is None or decision.loss is None or expected.loss is None:
        assert decision.next_purchase_ms is None
        return
    away = abs(decision.loss - expected.loss)
    assert away < money_slack(expected.loss), f"loss {decision.loss}, not {expected.loss}"
    overdue = (decision.decided_ms - usual.last_ms) / DAY_MS / usual.gap_days
    figures = (usual.visit_days, usual.spend, usual.gap_days, overdue)
    for found, figure in zip(told, figures, strict=True):
        assert math.isclose(found, figure, rel_tol=SLACK, abs_tol=SLACK), f"usual {told}, not {figures}"
    assert decision.next_purchase_ms is not None
    assert abs(decision.next_purchase_ms - usual.overdue_ms(1.0)) <= SLACK_MS


def check_raise(terms: Terms, customer: Customer, decision: Decision) -> None:
    """Nothing stands in the way of a raise, whether it is sent, held out or backfill."""
    policy, history, now_ms = terms.rules.policy, customer.history, decision.decided_ms
    silence_ms = now_ms - history.last_ms
    silent = silence_ms >= terms.model.silence_grid_ms[0]
    assert decision.reason == ("silence" if silent else "crossed")
    assert silent or history.placed[-1].kind != "purchase", "a purchase never raises"
    assert history.visit_days >= policy.least_active_days
    assert silence_ms < policy.horizon_ms, "who is gone is not alerted on"
    check_overdue(terms, customer, now_ms)
    if customer.closed_ms is not None:
        assert now_ms >= customer.closed_ms + policy.cooldown_ms, "raised within the cooldown"
    assert customer.raised_within_week(now_ms) < policy.weekly_cap, "raised above the cap"
    backfill = policy.alerts_from_ms is not None and now_ms < policy.alerts_from_ms
    held_out = holds_out(decision.user_id, policy.holdout_salt, policy.holdout_share)
    assert decision.action == ("backfill" if backfill else "held_out" if held_out else "sent")


def check_suppressed(terms: Terms, customer: Customer, decision: Decision) -> None:
    """The obstacle on record is there."""
    policy, now_ms, history = terms.rules.policy, decision.decided_ms, customer.history
    holds = {
        "cooldown": customer.closed_ms is not None and now_ms < customer.closed_ms + policy.cooldown_ms,
        "cap": customer.raised_within_week(now_ms) >= policy.weekly_cap,
        "not_eligible": history.visit_days < policy.least_active_days,
        "churned": now_ms - history.last_ms >= policy.horizon_ms,
        "budget": policy.daily_budget is not None,
        "no_usual": terms.is_unknown(customer),
    }
    assert holds[decision.obstacle or ""], f"{decision.obstacle} holds nothing back here"
    check_risk(terms, customer, decision)
    if decision.obstacle == "no_usual":
        assert (decision.transition, decision.reason, customer.alert) == ("raised", "silence", None)
        assert history.visit_days >= policy.least_active_days
        assert now_ms - history.last_ms < policy.horizon_ms
        return
    assert terms.is_level_of(customer, decision)
    check_overdue(terms, customer, now_ms)


def check_overdue(terms: Terms, customer: Customer, now_ms: int) -> None:
    """Nobody who is on time is alarmed about."""
    assert now_ms >= terms.overdue_ms(customer) - SLACK_MS, "alarmed about who is on time"


def check_resolve(terms: Terms, customer: Customer, alert: Alert, decision: Decision) -> None:
    """An alert ends for a reason that is true."""
    policy, history, now_ms = terms.rules.policy, customer.history, decision.decided_ms
    if decision.reason == "purchase":
        assert history.placed[-1].kind == "purchase" or any(
            past.kind == "purchase" and past.time_ms > alert.opened_ms for past in history.placed
        )
    elif decision.reason == "expired":
        gone = now_ms - history.last_ms >= policy.expiry_ms
        assert gone or now_ms >= alert.opened_ms + policy.horizon_ms
    elif decision.reason == "late_event":
        assert history.last_ms <= alert.opened_ms or was_on_time(terms, customer, alert), "the alert was true"
    else:
        assert decision.reason == "recovered"
        if not terms.rules.any_event_returns:
            check_risk(terms, customer, decision)
            assert terms.is_below(terms.leave_edge(1), customer, decision)


def check_return(
    terms: Terms, customer: Customer, delivery: Delivery, first: Decision | None, *, newest: bool
) -> None:
    """A purchase ends an open alert before anything else happens if it is the user's newest event, or came
    after the raise, or shows that the user was on time.

    ``first`` is the first decision after it.
    """
    bought, at_ms = delivery.event.type == "purchase", delivery.event.timestamp
    if customer.alert is None or not (bought or terms.rules.any_event_returns):
        return
    after = at_ms > customer.alert.opened_ms
    is_newest_visit = at_ms == terms.last_visit_ms(customer)
    if not (newest or after or (is_newest_visit and was_on_time(terms, customer, customer.alert))):
        return
    reason = ("purchase" if bought else "recovered") if after else "late_event"
    assert first is not None, "a purchase resolves"
    assert (first.transition, first.reason, first.offset) == ("resolved", reason, delivery.record.offset)


def was_on_time(terms: Terms, customer: Customer, alert: Alert) -> bool:
    """Whether the user was on time when the alert was raised, as far as is known by now."""
    return alert.opened_ms < terms.overdue_ms(customer) - SLACK_MS


def holds_out(user_id: str, salt: str, share: float) -> bool:
    """The first 8 bytes of SHA-256 of salt, newline and user, as a share of 1."""
    return int.from_bytes(sha256(f"{salt}\n{user_id}".encode()).digest()[:8]) / 2**64 < share
