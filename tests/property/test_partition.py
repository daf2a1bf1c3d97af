"""Results depend on the events alone: not on batches, crashes, or the order within the ring."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import streamer.core.engine.apply as core_apply
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.user_process import process_user
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel

START_MS = 1_483_228_800_000
POLICY = Policy(
    edges=(0.4, 0.6, 0.8),
    horizon_ms=28 * DAY_MS,
    cooldown_ms=3 * DAY_MS,
    weekly_cap=2,
    holdout_share=0.2,
    daily_budget=1,
    alerts_from_ms=START_MS + 40 * DAY_MS,
)
TYPES = ("view", "add_to_cart", "remove_from_cart", "purchase", "refund", "coupon_received")


GAPS_MS = (0, 30_000, 3_600_000, DAY_MS, 3 * DAY_MS, 20 * DAY_MS, 90 * DAY_MS)
LATE_MS = (0, 0, 0, 0, 20_000, 2 * DAY_MS, 40 * DAY_MS)

steps = st.tuples(
    st.sampled_from(GAPS_MS),
    st.sampled_from(LATE_MS),
    st.sampled_from("abc"),
    st.sampled_from(TYPES),
    st.sampled_from((None, 1.5, 20.0)),
    st.sampled_from((0, 0, 0, 0, 0, 0, 1, 5)),
)


def history(drawn: list[tuple[int, int, str, str, float | None, int]]) -> list[Event]:
    """A few users' events with gaps from seconds to months, some late, some delivered twice."""
    clock = START_MS
    events: list[Event] = []
    for number, (gap, late, user_id, event_type, value, again) in enumerate(drawn):
        clock += gap
        events.append(Event(f"e{number}", user_id, event_type, clock - late, value=value))
        if again and len(events) > again:
            events.append(events[-1 - again])
    return events


histories = st.lists(steps, max_size=40).map(history)


def run_whole(arrivals: list[PartitionEvent]) -> PartitionDriver:
    run = PartitionDriver.of(POLICY, FixedModel())
    run.process(arrivals)
    return run


@given(events=histories, cuts=st.lists(st.tuples(st.integers(0, 7), st.booleans()), min_size=1))
@settings(max_examples=200, deadline=None)
def test_any_split_into_batches_gives_the_same(events: list[Event], cuts: list[tuple[int, bool]]) -> None:
    arrivals = partition_events(events)
    whole = run_whole(arrivals)
    split = PartitionDriver.of(POLICY, FixedModel())
    at = 0
    for size, crash in cycle(cuts):
        split.process(arrivals[at : at + size])
        at += size
        if crash:
            split.recover()
        if at >= len(arrivals) or not any(size for size, _ in cuts):
            break
    split.process(arrivals[at:])
    assert split.decisions == whole.decisions
    assert split.table == whole.table
    assert split.clock_ms == whole.clock_ms


@given(events=histories)
@settings(max_examples=150, deadline=None)
def test_the_rules_alone_give_the_same_as_with_the_fast_path(events: list[Event]) -> None:
    arrivals = partition_events(events)
    whole = run_whole(arrivals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core_apply, "take_fast_path", lambda *_: {})
        by_the_rules = run_whole(arrivals)
    assert by_the_rules.decisions == whole.decisions
    assert by_the_rules.table == whole.table


def test_most_events_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[str] = []

    def counted(user_id: str, *rest: Any) -> Any:
        followed.append(user_id)
        return process_user(user_id, *rest)

    monkeypatch.setattr(core_apply, "process_user", counted)
    visits = [Event(f"e{n}", f"u{n % 7}", "view", START_MS + n * 60_000) for n in range(300)]
    run = run_whole(partition_events(visits))
    assert len(run.table) == 7
    assert followed == []


@given(events=st.lists(steps, max_size=8).map(history), data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_order_within_the_ring_gives_the_same_history(events: list[Event], data: st.DataObject) -> None:
    in_order = sorted({event.event_id: event for event in events}.values(), key=lambda e: e.timestamp)
    # Who is away for so long is forgotten, and is a new user when the events between come late.
    assume(not in_order or in_order[-1].timestamp - in_order[0].timestamp < POLICY.expiry_ms)
    shuffled = data.draw(st.permutations(in_order))
    straight, mixed = run_whole(partition_events(in_order)), run_whole(partition_events(shuffled))
    for user_id in straight.table:
        one, other = straight.partition, mixed.partition
        assert one.clock_ms == other.clock_ms
        a, b = straight.state(user_id), mixed.state(user_id)
        assert (a.ring, a.running, a.base, a.hidden) == (b.ring, b.running, b.base, b.hidden)


@given(events=histories)
@settings(max_examples=150, deadline=None)
def test_alerts_follow_their_life(events: list[Event]) -> None:
    open_alerts: dict[str, Decision] = {}
    seen: set[str] = set()
    for decision in run_whole(partition_events(events)).decisions:
        if decision.action != "sent":
            assert decision.alert_id is None
            continue
        assert decision.decided_ms >= (POLICY.alerts_from_ms or 0)
        assert not POLICY.holds_out(decision.user_id)
        before = open_alerts.pop(decision.user_id, None)
        if decision.transition == "raised":
            assert before is None
            assert decision.revision == 1
            assert decision.alert_id is not None
            assert decision.alert_id not in seen
            seen.add(decision.alert_id)
        else:
            assert before is not None
            assert before.revision is not None
            assert (decision.alert_id, decision.revision) == (before.alert_id, before.revision + 1)
            assert decision.decided_ms >= before.decided_ms
            if decision.transition == "escalated":
                assert decision.level > before.level
            if decision.transition == "deescalated":
                assert 0 < decision.level < before.level
        if decision.transition in ("raised", "escalated"):
            assert decision.risk >= POLICY.edges[decision.level - 1]
        if decision.transition != "resolved":
            open_alerts[decision.user_id] = decision
