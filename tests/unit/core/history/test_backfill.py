"""Going live on a history: what lies before ``alerts_from`` is never sent, though the partition lags then."""

from __future__ import annotations

import msgspec

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel
from tests.unit.core.alerts.test_alert_rules import POLICY, START


def visit(number: int, user_id: str, day: float) -> Event:
    return Event(f"e{number}", user_id, "purchase", START + int(day * DAY_MS))


def run_of(alerts_from_day: float) -> PartitionDriver:
    """A user silent from day 0 on, found by a partition that lags until day 65 and has then caught up."""
    policy = msgspec.structs.replace(POLICY, alerts_from_ms=START + int(alerts_from_day * DAY_MS))
    run = PartitionDriver.of(policy, FixedModel())
    arrivals = partition_events([visit(1, "quiet", 0), visit(2, "other", 65), visit(3, "other", 66)])
    run.process(arrivals[:2], held=True)
    run.process(arrivals[2:])
    run.decisions = [decision for decision in run.decisions if decision.user_id == "quiet"]
    return run


def test_who_was_at_risk_before_alerts_begin_is_not_raised_when_the_partition_has_caught_up() -> None:
    decisions = run_of(alerts_from_day=64).decisions
    assert [decision.action for decision in decisions] == ["backfill", "backfill", "backfill"]
    assert [decision.transition for decision in decisions] == ["raised", "escalated", "escalated"]


def test_who_gets_worse_after_that_waits_for_the_partition_and_is_then_sent() -> None:
    *before, last = run_of(alerts_from_day=20).decisions
    assert {decision.action for decision in before} == {"backfill"}
    assert (last.action, last.transition) == ("sent", "raised")
    assert last.decided_ms > START + 64 * DAY_MS
