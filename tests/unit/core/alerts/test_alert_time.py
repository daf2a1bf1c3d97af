"""Late events, lag, and new rules: what time may and may not do to an alert."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.alert_state import AlertState, Episode
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.lifecycle import Situation, consider
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import REVIEW_SPREAD_MS
from streamer.core.history.calendar import UTC
from streamer.core.history.token import tokenise
from streamer.settings.time_zone import calendar_of
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel
from tests.simulation.models import Turning

START = 1_483_228_800_000
POLICY = Policy(
    edges=(0.4, 0.6, 0.8), horizon_ms=90 * DAY_MS, least_active_days=1, cooldown_ms=0, weekly_cap=9
)


def event(number: int, user_id: str, event_type: str, day: float) -> Event:
    return Event(f"e{number}", user_id, event_type, START + int(day * DAY_MS))


def run_of(*events: Event, **changed: Any) -> PartitionDriver:
    run = PartitionDriver.of(msgspec.structs.replace(POLICY, **changed), FixedModel())
    run.process(partition_events(events))
    return run


def told(run: PartitionDriver, user_id: str = "u") -> list[tuple[str, str, str]]:
    return [(d.action, d.transition, d.reason) for d in run.decisions if d.user_id == user_id]


def carts(*days: float) -> list[Event]:
    return [event(number, "u", "remove_from_cart", day) for number, day in enumerate(days)]


def test_an_event_older_than_a_ring_that_nothing_has_left_finds_its_place() -> None:
    events = [event(number, "u", "view", number) for number in range(FixedModel.ring_tokens + 1)]
    straight, late = run_of(*events).state("u"), run_of(*events[1:], events[0]).state("u")
    assert (late.ring, late.base, late.running) == (straight.ring, straight.base, straight.running)


def test_a_late_event_that_refutes_nothing_leaves_the_alert_open() -> None:
    run = run_of(event(1, "u", "view", 0), event(2, "x", "view", 30), event(3, "u", "view", 1))
    assert ("sent", "raised", "silence") in told(run)
    assert "resolved" not in {transition for _, transition, _ in told(run)}


def test_a_raise_that_had_to_wait_says_what_it_was_about() -> None:
    run = run_of(
        *carts(0, 0.1, 0.2, 0.3),
        event(7, "u", "purchase", 0.4),
        *[event(10 + n, "u", "remove_from_cart", 0.5 + n / 1000) for n in range(4)],
        event(9, "x", "view", 0.9),
        cooldown_ms=DAY_MS // 4,
    )
    assert told(run) == [
        ("sent", "raised", "crossed"),
        ("sent", "resolved", "purchase"),
        ("suppressed", "raised", "crossed"),
        ("sent", "raised", "crossed"),
    ]


def test_what_a_purchase_followed_raises_nothing() -> None:
    emptied = carts(0, 0.1, 0.2)
    run = run_of(
        *emptied,
        event(7, "u", "purchase", 0.4),
        event(8, "u", "remove_from_cart", 0.3),
        edges=(0.2, 0.6, 0.8),
    )
    assert not [d for d in run.decisions if d.offset == 4 and d.transition == "raised"]


def test_a_raise_that_waited_is_not_decided_before_the_users_newest_event() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    run.process(partition_events(carts(0, 0.1, 0.2, 0.3)), held=True)
    last_ms = START + int(0.3 * DAY_MS)
    run.process([], now_ms=last_ms + 1_000)
    assert run.decisions == []
    run.process([], now_ms=last_ms + POLICY.disorder_ms)
    assert [(d.action, d.decided_ms) for d in run.decisions] == [("sent", last_ms)]


def test_what_one_live_batch_refutes_is_not_raised_in_it() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    quiet, *rest = partition_events(
        [event(1, "u", "purchase", 0), event(2, "x", "view", 20), event(3, "u", "purchase", 21)]
    )
    run.process([quiet], now_ms=START)
    run.process(rest, now_ms=START + 21 * DAY_MS)
    assert told(run) == [("overtaken", "raised", "purchase")]


def test_an_alert_may_expire_under_an_event_that_is_ahead_of_the_clock() -> None:
    opened = carts(0, 0.1, 0.2, 0.3)
    expiry_ms = run_of(*opened).decisions[0].decided_ms + POLICY.horizon_ms
    ahead = Event("ahead", "u", "view", expiry_ms + DAY_MS // 2)
    run = run_of(*opened)
    run.process([PartitionEvent(9, expiry_ms - 1_000, "u", tokenise(ahead))])
    run.process([], now_ms=expiry_ms + POLICY.disorder_ms)
    assert run.decisions[-1].reason == "expired"
    assert all(d.decided_ms >= d.last_ms for d in run.decisions if d.transition == "raised")


def decided_under(run: PartitionDriver, policy: Policy, model: FixedModel) -> list[Decision]:
    """What the next worker, with other rules, decides within the hour."""
    next_run = PartitionDriver.of(policy, model)
    next_run.table, next_run.clock_ms = run.table, run.clock_ms
    next_run.recover()
    next_run.process([], now_ms=(run.clock_ms or 0) + REVIEW_SPREAD_MS)
    return next_run.decisions


def situation(now_ms: int, **changed: Any) -> Situation:
    return Situation("u", 0, 7, now_ms, START, 0.5, 0.5, 5, "silence", UTC, open_ms=now_ms)._replace(
        **changed
    )


def test_an_event_just_after_midnight_does_not_compete_for_the_day_before() -> None:
    policy = msgspec.structs.replace(POLICY, daily_budget=1)
    midnight = START + 2 * DAY_MS
    alert_state = AlertState(rank_ms=midnight)
    early = consider(alert_state, situation(midnight + 30_000, open_ms=midnight - 30_000), policy)
    assert (early.competes, early.again_ms) == (False, midnight + DAY_MS)


def test_who_waited_for_the_partition_while_the_budget_was_shared_out_waits_for_the_next() -> None:
    policy = msgspec.structs.replace(POLICY, daily_budget=1)
    midnight = START + 2 * DAY_MS
    alert_state = AlertState(rank_ms=midnight)
    assert consider(alert_state, situation(midnight, held=True), policy).again_ms is None
    later = consider(alert_state, situation(midnight + 5 * DAY_MS - 1), policy)
    assert (later.competes, later.again_ms) == (False, midnight + 5 * DAY_MS)


def test_a_backfilled_episode_lasts_until_a_raise_takes_its_place() -> None:
    policy = msgspec.structs.replace(POLICY, alerts_from_ms=START, cooldown_ms=9 * DAY_MS)
    alert_state = AlertState(episode=Episode("a", 0, 1, START - DAY_MS, START - DAY_MS, "backfill"))
    alert_state.closed_ms = START - 2 * DAY_MS
    verdict = consider(alert_state, situation(START + DAY_MS, signal=0.7), policy)
    assert [decision.obstacle for decision in verdict.decisions] == ["cooldown"]
    assert alert_state.level == 1


def test_lower_bands_reach_the_silent_within_the_hour() -> None:
    run = run_of(event(1, "u", "view", 0), event(2, "x", "view", 3), edges=(0.7, 0.8, 0.9))
    assert run.decisions == []
    decisions = decided_under(run, msgspec.structs.replace(POLICY, edges=(0.2, 0.3, 0.9)), FixedModel())
    assert [(d.user_id, d.action) for d in decisions] == [("u", "sent")]


def test_another_model_with_another_grid_takes_the_silent_over() -> None:
    run = run_of(event(1, "u", "view", 0), event(2, "x", "view", 3), edges=(0.7, 0.8, 0.9))
    state = run.state("u")
    assert len(state.absence_curve()) == len(FixedModel.silence_grid_ms)
    decided_under(run, msgspec.structs.replace(POLICY, edges=(0.7, 0.8, 0.9)), Turning())
    assert len(run.state("u").absence_curve()) == len(Turning.silence_grid_ms)


def test_each_partition_has_its_turn_of_a_budget_smaller_than_their_number() -> None:
    policy = msgspec.structs.replace(POLICY, daily_budget=1)
    days = [{d.decided_ms for d in raised_in(number, policy)} for number in (0, 1)]
    assert len(days[0]) == len(days[1]) == 1
    assert days[0] != days[1]


def raised_in(number: int, policy: Policy) -> list[Decision]:
    run = PartitionDriver.of(policy, FixedModel(), number, partitions=2)
    run.process(partition_events([*carts(0, 0.1, 0.2, 0.3), event(9, "x", "view", 4)]))
    return [d for d in run.decisions if (d.transition, d.action) == ("raised", "sent")]


def test_who_competes_for_the_budget_does_so_at_local_midnight() -> None:
    kolkata, midnight_ms = FixedModel(), START + int(18.5 / 24 * DAY_MS)
    kolkata.calendar = calendar_of("Asia/Kolkata")
    run = PartitionDriver.of(msgspec.structs.replace(POLICY, daily_budget=1), kolkata)
    run.process(partition_events([*carts(0, 0.1, 0.2, 0.3), event(9, "x", "view", 2)]))
    assert [d.decided_ms for d in run.decisions if d.user_id == "u"][:1] == [midnight_ms]
