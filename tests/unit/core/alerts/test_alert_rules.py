"""What raises, escalates and resolves an alert, and when: the rules one by one."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.grouped_events import PartitionEvent
from streamer.core.engine.partition import Rules
from streamer.core.history.token import tokenise
from streamer.core.timing.clock import NEVER_MS, clock_after
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel

START = 1_483_228_800_000
POLICY = Policy(
    edges=(0.4, 0.6, 0.8), horizon_ms=90 * DAY_MS, least_active_days=1, cooldown_ms=0, weekly_cap=9
)


def event(number: int, user_id: str, event_type: str, day: float) -> Event:
    return Event(f"e{number}", user_id, event_type, START + int(day * DAY_MS))


def decisions_of(*events: Event, **changed: object) -> list[Decision]:
    run = PartitionDriver.of(msgspec.structs.replace(POLICY, **changed), FixedModel())
    run.process(partition_events(events))
    return run.decisions


def test_silence_is_noticed_at_its_deadline_by_any_users_event() -> None:
    quiet = decisions_of(event(1, "quiet", "purchase", 0), event(2, "other", "purchase", 30))
    raised = quiet[0]
    assert (raised.user_id, raised.transition, raised.reason) == ("quiet", "raised", "silence")
    assert START + DAY_MS < raised.decided_ms < START + 30 * DAY_MS
    much_later = decisions_of(event(1, "quiet", "purchase", 0), event(2, "other", "purchase", 300))
    assert raised == much_later[0], "the decision bears the time of its deadline, whenever it is found"


def test_risk_at_the_decision_is_at_the_edge_that_was_crossed() -> None:
    raised = decisions_of(event(1, "quiet", "purchase", 0), event(2, "other", "purchase", 30))[0]
    assert POLICY.edges[0] <= raised.risk < POLICY.edges[0] + 0.05


def test_growing_silence_escalates_the_same_alert() -> None:
    changes = decisions_of(event(1, "quiet", "purchase", 0), event(2, "other", "purchase", 60))
    mine = [change for change in changes if change.user_id == "quiet"]
    assert [change.transition for change in mine] == ["raised", "escalated", "escalated"]
    assert [change.level for change in mine] == [1, 2, 3]
    assert [change.revision for change in mine] == [1, 2, 3]
    assert len({change.alert_id for change in mine}) == 1


def test_silence_that_ends_with_the_users_own_event_was_still_noticed() -> None:
    changes = decisions_of(event(1, "u", "purchase", 0), event(2, "u", "purchase", 60))
    assert [change.transition for change in changes] == ["raised", "escalated", "escalated", "resolved"]
    assert changes[-1].reason == "purchase"
    assert changes[-1].decided_ms == START + 60 * DAY_MS


def test_a_new_alert_after_a_resolve_is_a_new_episode() -> None:
    changes = decisions_of(
        event(1, "u", "purchase", 0), event(2, "u", "purchase", 60), event(3, "u", "purchase", 120)
    )
    first, second = (change for change in changes if change.transition == "raised")
    assert first.alert_id != second.alert_id
    assert second.revision == 1


def test_an_emptied_cart_raises_at_once_and_a_purchase_never_does() -> None:
    emptied = [event(n, "u", "remove_from_cart", n / 1000) for n in range(1, 5)]
    changes = decisions_of(*emptied)
    assert [(change.transition, change.reason) for change in changes] == [("raised", "crossed")]
    assert decisions_of(*(event(n, "u", "purchase", n / 1000) for n in range(1, 5))) == []


def test_a_late_purchase_withdraws_the_alert_that_it_refutes() -> None:
    changes = decisions_of(
        event(1, "u", "purchase", 0), event(2, "other", "purchase", 20), event(3, "u", "purchase", 0.5)
    )
    mine = [change for change in changes if change.user_id == "u"]
    assert [change.transition for change in mine][:1] == ["raised"]
    assert mine[-1].transition == "resolved" or mine[-1].reason == "silence"
    resolved = next(change for change in mine if change.transition == "resolved")
    assert resolved.reason == "late_event"
    assert resolved.decided_ms >= mine[0].decided_ms


def test_a_user_silent_too_long_is_forgotten() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    run.process(partition_events([event(1, "u", "purchase", 0), event(2, "other", "purchase", 401)]))
    assert set(run.table) == {"other"}


def test_an_alert_expires_with_its_horizon_and_who_is_gone_raises_no_other() -> None:
    mine = [
        d
        for d in decisions_of(event(1, "u", "purchase", 0), event(2, "other", "purchase", 300))
        if d.user_id == "u"
    ]
    raised, expired = mine[0], next(d for d in mine if d.transition == "resolved")
    assert expired.reason == "expired"
    assert expired.decided_ms == raised.decided_ms + POLICY.horizon_ms
    after = mine[mine.index(expired) + 1 :]
    assert [(d.action, d.obstacle) for d in after] == [("suppressed", "churned")]


def test_while_the_partition_lags_raises_wait_and_those_still_true_go_out() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    events = partition_events(
        [
            event(1, "gone", "purchase", 0),
            event(2, "back", "purchase", 0),
            event(3, "x", "purchase", 40),
            event(4, "back", "purchase", 41),
        ]
    )
    run.process(events[:3], held=True)
    run.recover()
    run.process(events[3:], held=True)
    assert [(d.user_id, d.action) for d in run.decisions] == [("back", "overtaken")]
    run.process([], now_ms=START + 42 * DAY_MS)
    sent = [d for d in run.decisions if d.action == "sent"]
    assert [(d.user_id, d.transition) for d in sent] == [("gone", "raised")]


def test_resolves_go_out_while_the_partition_lags() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    events = partition_events(
        [event(1, "u", "purchase", 0), event(2, "x", "purchase", 40), event(3, "u", "purchase", 41)]
    )
    run.process(events[:2])
    run.process(events[2:], held=True)
    assert (run.decisions[-1].action, run.decisions[-1].transition) == ("sent", "resolved")


def test_wall_time_moves_a_caught_up_partition() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    run.process(partition_events([event(1, "u", "purchase", 0)]))
    run.process([], now_ms=START + 30 * DAY_MS)
    assert run.decisions[0].transition == "raised"


def test_duplicates_change_nothing() -> None:
    once = PartitionDriver.of(POLICY, FixedModel())
    once.process(partition_events([event(1, "u", "purchase", 0)]))
    twice = PartitionDriver.of(POLICY, FixedModel())
    twice.process(partition_events([event(1, "u", "purchase", 0), event(1, "u", "purchase", 0)]))
    assert once.table == twice.table


def test_alert_ids_differ_by_partition_position() -> None:
    first = event(1, "u", "purchase", 0)
    other = event(2, "other", "purchase", 30)
    run = PartitionDriver.of(POLICY, FixedModel())
    shifted = [
        PartitionEvent(offset, e.timestamp, e.user_id, tokenise(e)) for offset, e in ((7, first), (8, other))
    ]
    run.process(shifted)
    assert run.decisions[0].alert_id != decisions_of(first, other)[0].alert_id


@pytest.mark.parametrize(("event_ms", "record_ms", "expected"), [(50, 40, 40), (40, 50, 40), (5, 5, 10)])
def test_the_clock_trusts_the_earlier_of_event_and_record(
    event_ms: int, record_ms: int, expected: int
) -> None:
    assert clock_after(10, np.array([event_ms]), np.array([record_ms])).tolist() == [expected]
    assert clock_after(NEVER_MS, np.array([3]), np.array([9])).tolist() == [3]


def test_the_clock_never_goes_back() -> None:
    assert clock_after(10, np.array([5, 30, 20, 40]), np.array([9, 90, 90, 35])).tolist() == [10, 30, 30, 35]


def test_a_money_less_event_is_scored() -> None:
    run = PartitionDriver.of(POLICY, FixedModel())
    run.process(partition_events([event(1, "u", "view", 0)]))
    assert not math.isnan(run.state("u").risk)


def test_what_the_shop_does_neither_ends_a_silence_nor_counts_as_a_visit() -> None:
    bought, later = event(1, "quiet", "purchase", 0), event(2, "other", "purchase", 30)
    coupons = [event(10 + day, "quiet", "coupon_received", day) for day in range(1, 29)]
    for any_event_returns in (False, True):
        plain, sent = (PartitionDriver(Rules(POLICY, any_event_returns, 1), FixedModel()) for _ in range(2))
        plain.process(partition_events([bought, later]))
        sent.process(partition_events([bought, *coupons, later]))
        assert sent.state("quiet").last_ms == bought.timestamp
        assert sent.state("quiet").running == plain.state("quiet").running
        quiet = [[d.transition for d in run.decisions if d.user_id == "quiet"] for run in (plain, sent)]
        assert quiet[0] == quiet[1] == ["raised", "escalated", "escalated"]
