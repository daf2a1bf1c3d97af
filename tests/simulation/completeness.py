"""Nothing is missing: what time and the policy demand has been decided by the end of a batch."""

from __future__ import annotations

import math
from typing import NamedTuple

from schemas.units import DAY_MS, HOUR_MS
from tests.simulation.customer import SLACK_MS, Batch, Customer, Terms


class Since(NamedTuple):
    """From when on everybody has been looked at by the rules in force, and the worker has not lagged."""

    settled_ms: int
    caught_up_ms: int


def check_nothing_missing(terms: Terms, customer: Customer, batch: Batch, since: Since) -> None:
    """What the passing of time alone demands of one customer."""
    policy, alert, horizon_ms = terms.rules.policy, customer.alert, batch.horizons_ms[-1]
    silence_ms, settled = horizon_ms - customer.history.last_ms, _is_settled(customer, horizon_ms, since)
    assert silence_ms < policy.expiry_ms, "a user silent for so long is forgotten"
    if alert is not None:
        assert horizon_ms < alert.opened_ms + policy.horizon_ms or not settled, "an alert expires"
    if not settled:
        return
    _check_unknown(terms, customer, horizon_ms, since)
    due_ms = due_since(terms, customer, horizon_ms, since)
    if not batch.held and due_ms is not None and due_ms <= horizon_ms:
        if alert is not None and not _is_news(terms, customer, horizon_ms):
            raise AssertionError("growing silence was not noticed")
        assert competes(terms, horizon_ms) or _blocked(terms, customer, horizon_ms), "silence was not noticed"
        check_competed(terms, customer, horizon_ms // DAY_MS * DAY_MS, since)
    _check_left(terms, customer, horizon_ms, since)


def due_since(terms: Terms, customer: Customer, now_ms: int, since: Since) -> int | None:
    """From when on, at the latest, a raise or escalation has been due that is so still at ``now_ms``."""
    policy, alert, last_ms = terms.rules.policy, customer.alert, customer.history.last_ms
    level = alert.level if alert else 0
    if level == len(policy.edges):
        return None
    edge = max(policy.edges[level], terms.raise_edge)
    edge += terms.slack(edge)
    if now_ms < last_ms or terms.signals(customer, now_ms)[0] < edge:
        return None
    reached = (
        last_ms + silence
        for silence in terms.model.silence_grid_ms
        if last_ms + silence <= now_ms and terms.signals(customer, last_ms + silence)[0] >= edge
    )
    noticed_ms = next(reached, None)
    if noticed_ms is None:
        return None
    begun = (noticed_ms, customer.told_ms, customer.closed_ms or 0, since.settled_ms)
    # An alert that began as backfill is raised anew.
    overdue_ms = (
        0 if alert and alert.action != "backfill" else math.ceil(terms.overdue_ms(customer)) + SLACK_MS
    )
    return max(*begun, overdue_ms, alert.changed_ms if alert else 0) + policy.raise_dwell_ms


def competes(terms: Terms, now_ms: int) -> bool:
    """Whether a raise must win a place in a day's budget."""
    policy = terms.rules.policy
    return policy.daily_budget is not None and now_ms >= (policy.alerts_from_ms or 0)


def check_competed(terms: Terms, customer: Customer, day_ms: int, since: Since) -> None:
    """Whoever was due for a raise when the day ended at ``day_ms`` has competed for its budget."""
    policy = terms.rules.policy
    due_ms = due_since(terms, customer, day_ms, since)
    free = not any(_blocked(terms, customer, now_ms) for now_ms in (day_ms - 1, day_ms))
    if due_ms is None or not free or not competes(terms, day_ms):
        return
    if day_ms > max(due_ms, customer.heard_ms, since.caught_up_ms, policy.alerts_from_ms or 0):
        assert customer.competed_ms >= day_ms, "a raise went without its place in the day's ranking"


def check_moment(terms: Terms, customer: Customer, noticed_ms: int) -> None:
    """In silence it is noticed where the signal's curve crosses the edge, within a part of a grid step.

    Who is above the edge while still on time is noticed when no longer on time, to the moment.
    """
    grid, last_ms = terms.model.silence_grid_ms, customer.history.last_ms
    silence_ms = noticed_ms - last_ms
    before = [silence for silence in grid if silence < silence_ms]
    if not before or abs(noticed_ms - terms.overdue_ms(customer)) <= SLACK_MS:
        return
    edge = terms.raise_edge
    assert terms.signals(customer, noticed_ms)[1] >= edge - terms.slack(edge), "noticed before it was so"
    after = next((silence for silence in grid if silence >= silence_ms), silence_ms)
    earlier_ms = noticed_ms - max((after - before[-1]) // 4, 2_000)
    # Who was above it at the step before, and on time, would have been noticed when no longer on time.
    assert terms.signals(customer, last_ms + before[-1])[0] < edge + terms.slack(edge), "a grid step late"
    if earlier_ms > last_ms and earlier_ms >= terms.overdue_ms(customer):
        assert terms.signals(customer, earlier_ms)[0] < edge + terms.slack(edge), "noticed late"


def _check_unknown(terms: Terms, customer: Customer, horizon_ms: int, since: Since) -> None:
    """Of whom nothing is usual there is no alert, and that is on record."""
    policy, history = terms.rules.policy, customer.history
    looked_ms = max(history.last_ms + terms.model.silence_grid_ms[0], customer.told_ms, since.settled_ms)
    if not terms.is_unknown(customer) or horizon_ms < looked_ms:
        return
    assert customer.alert is None, "an alert about whom nothing is known"
    ended = customer.closed_ms is not None and customer.closed_ms > history.last_ms
    eligible = history.visit_days >= policy.least_active_days
    if eligible and not ended and looked_ms - history.last_ms < policy.horizon_ms:
        assert customer.no_usual is not None, "not on record that nothing is usual"


def _is_settled(customer: Customer, horizon_ms: int, since: Since) -> bool:
    """Whether the rules in force have looked at the customer: not before an event that others had judged."""
    judged_by_others = customer.told_ms <= since.settled_ms - HOUR_MS
    waits = judged_by_others and horizon_ms < customer.history.last_ms
    return horizon_ms >= since.settled_ms and not waits


def _is_news(terms: Terms, customer: Customer, now_ms: int) -> bool:
    """Whether an alert's escalation is a raise: it began as backfill, and alerts are sent by now."""
    alert = customer.alert
    return alert is None or (
        alert.action == "backfill" and now_ms >= (terms.rules.policy.alerts_from_ms or 0)
    )


def _check_left(terms: Terms, customer: Customer, horizon_ms: int, since: Since) -> None:
    """A band that the signal has left for long enough is left."""
    policy, alert, last_ms = terms.rules.policy, customer.alert, customer.history.last_ms
    looked_at = [s for s in terms.model.silence_grid_ms if s <= horizon_ms - last_ms]
    lasted = [s for s in looked_at if last_ms + s <= horizon_ms - policy.leave_dwell_ms]
    if alert is None or not lasted:
        return
    leave = terms.leave_edge(alert.level)
    leave -= terms.slack(leave)
    begun_ms = max(alert.changed_ms, customer.told_ms, since.settled_ms)
    if last_ms + lasted[-1] >= begun_ms and terms.signals(customer, horizon_ms)[1] < leave:
        signals = [terms.signals(customer, last_ms + s)[1] for s in looked_at if s >= lasted[-1]]
        assert max(signals) >= leave, "a band that was left is still open"


def _blocked(terms: Terms, customer: Customer, now_ms: int) -> bool:
    policy = terms.rules.policy
    return (
        customer.history.visit_days < policy.least_active_days
        or now_ms - customer.history.last_ms >= policy.horizon_ms
        or (customer.closed_ms is not None and now_ms < customer.closed_ms + policy.cooldown_ms)
        or customer.raised_within_week(now_ms) >= policy.weekly_cap
    )
