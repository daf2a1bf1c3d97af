"""Nothing is missing: what time and the policy demand has been decided by the end of a batch."""

from __future__ import annotations

from tests.simulation.customer import Batch, Customer, Terms
from tests.simulation.rules_of_alerts import SLACK


def check_nothing_missing(terms: Terms, customer: Customer, batch: Batch, settled_ms: int) -> None:
    """``settled_ms``: from when on everybody has been looked at by the rules in force."""
    policy, alert, horizon_ms = terms.rules.policy, customer.alert, batch.horizons_ms[-1]
    last_ms = customer.history.last_ms
    silence_ms, settled = horizon_ms - last_ms, horizon_ms >= settled_ms
    assert silence_ms < policy.expiry_ms, "a user silent for so long is forgotten"
    if alert is not None:
        assert horizon_ms < alert.opened_ms + policy.horizon_ms or not settled, "an alert expires"
    looked_at = [silence for silence in terms.model.silence_grid_ms if silence <= silence_ms]
    if not looked_at or not settled or customer.history.sums_since_newest:
        return
    now, then = terms.risk(customer, horizon_ms), terms.risk(customer, last_ms + looked_at[-1])
    if not batch.held and policy.raise_dwell_ms == 0:
        due = min(terms.level(now - SLACK), terms.level(then - SLACK))
        if alert is None:
            assert due == 0 or _blocked(terms, customer, horizon_ms), "silence was not noticed"
        elif alert.action != "backfill":
            assert due <= alert.level, "growing silence was not noticed"
    if alert is not None:
        since = [s for s in looked_at if s <= silence_ms - policy.leave_dwell_ms]
        leave = policy.edges[alert.level - 1] - policy.hysteresis - SLACK
        lasted = since and last_ms + since[-1] >= max(alert.changed_ms, customer.told_ms, settled_ms)
        if lasted and now < leave:
            risks = [terms.risk(customer, last_ms + s) for s in looked_at if s >= since[-1]]
            assert max(risks) >= leave, "a band that was left is still open"


def check_moment(terms: Terms, customer: Customer, decided_ms: int) -> None:
    """A raise in silence falls where the risk curve crosses the edge, within a part of a grid step."""
    grid, last_ms = terms.model.silence_grid_ms, customer.history.last_ms
    silence_ms = decided_ms - last_ms
    before = [silence for silence in grid if silence < silence_ms]
    if not before:
        return
    edge = terms.rules.policy.edges[0] + SLACK
    after = next((silence for silence in grid if silence >= silence_ms), silence_ms)
    assert terms.risk(customer, last_ms + before[-1]) < edge, "a grid step late"
    earlier_ms = decided_ms - max((after - before[-1]) // 4, 2_000)
    if earlier_ms > last_ms:
        assert terms.risk(customer, earlier_ms) < edge, "noticed late"


def _blocked(terms: Terms, customer: Customer, now_ms: int) -> bool:
    policy = terms.rules.policy
    return (
        policy.daily_budget is not None
        or customer.history.visit_days < policy.least_active_days
        or now_ms - customer.history.last_ms >= policy.horizon_ms
        or (customer.closed_ms is not None and now_ms < customer.closed_ms + policy.cooldown_ms)
        or customer.raised_within_week(now_ms) >= policy.weekly_cap
    )
