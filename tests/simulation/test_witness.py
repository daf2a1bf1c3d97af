"""What the simulation's witness must not object to, and what it still does."""

from __future__ import annotations

import msgspec
import pytest

from schemas.units import DAY_MS, HOUR_MS, SECOND_MS
from streamer.core.alerts.policy import Policy
from streamer.core.engine import user_process
from streamer.core.engine.partition import Rules
from streamer.core.user_state import UserState, decode_state
from streamer.testing import PartitionDriver
from tests.simulation.customer import Terms
from tests.simulation.models import ABSENCE_MODELS, Declining, Fading
from tests.simulation.traffic import START_MS, Log, Visit
from tests.simulation.witness import Witness

POLICY = Policy(edges=(0.7, 0.8, 0.9), horizon_ms=90 * DAY_MS)
RISING, _, COUNTING = (
    Terms(Rules(POLICY, any_event_returns=False, partitions=1), model) for model in ABSENCE_MODELS
)
BY_LOSS = Policy(
    edges=(1.0, 2.0, 3.0), horizon_ms=56 * DAY_MS, alert_by="loss", least_overdue=2.0, hysteresis=0.1
)
DECLINING = Terms(Rules(BY_LOSS, any_event_returns=False, partitions=1), Declining("purchase"))
TOO_OLD = Visit(0, 0, "view", late_ms=50 * DAY_MS)
USER = "1-0"


class Shop:
    """A live worker, one user's visits, and a witness who judges each batch."""

    def __init__(self, terms: Terms) -> None:
        self.log = Log(crowd=1)
        self.worker, self.witness = PartitionDriver(terms.rules, terms.model), Witness(terms, live=True)

    def consume(self, *visits: Visit, after_ms: int = 0) -> None:
        self.log.now_ms += after_ms
        known = len(self.log.deliveries)
        for visit in visits:
            self.log.append(visit)
        arrived = self.log.deliveries[known:]
        decisions = self.worker.process([delivery.record for delivery in arrived], self.log.now_ms)
        self.witness.judge(arrived, decisions, self.log.now_ms, held=False)

    def change(self, terms: Terms) -> None:
        self.worker.rules, self.worker.model = terms.rules, terms.model
        self.worker.recover()
        self.witness.change(terms)

    def state(self) -> UserState:
        return decode_state(self.worker.table[USER])

    def check(self) -> None:
        self.witness.check_curves(USER, self.state().absence_curve(), self.state().followed_curve())


def shop_of_a_regular(terms: Terms) -> Shop:
    """Its user has come more often than a ring can hold."""
    shop = Shop(terms)
    shop.consume(*[Visit(HOUR_MS, 0, "view")] * 15)
    return shop


def of(terms: Terms, **changed: object) -> Terms:
    """The same with another policy in ``changed``."""
    policy = msgspec.structs.replace(terms.rules.policy, **changed)
    return terms._replace(rules=terms.rules._replace(policy=policy))


FADING = of(DECLINING._replace(model=Fading("purchase")), edges=(1.0, 2.0, 82.0), hysteresis=0.04)


def test_a_curve_outlasts_rules_that_returned_before_it_was_renewed() -> None:
    shop = shop_of_a_regular(RISING)
    shop.consume(after_ms=2 * DAY_MS)
    before = shop.state()
    shop.consume(TOO_OLD)
    shop.change(COUNTING)
    shop.consume(after_ms=SECOND_MS)
    shop.change(RISING)
    shop.consume(after_ms=2 * HOUR_MS)
    assert before.curve
    assert (shop.state().curve, shop.state().alert_state.stamp) == (before.curve, before.alert_state.stamp)
    assert shop.state().running != before.running
    shop.check()


def test_a_curve_outlasts_a_start_under_the_same_rules() -> None:
    shop = shop_of_a_regular(RISING)
    shop.consume(after_ms=2 * DAY_MS)
    before = shop.state()
    shop.consume(TOO_OLD)
    shop.change(RISING)
    shop.consume(after_ms=2 * HOUR_MS)
    assert shop.state().curve == before.curve
    shop.check()


def test_a_curve_outlasts_rules_that_would_not_have_had_one_yet() -> None:
    shop = shop_of_a_regular(COUNTING)
    shop.consume(after_ms=19 * HOUR_MS)
    before = shop.state()
    shop.change(RISING)
    shop.consume(TOO_OLD)
    shop.change(COUNTING)
    shop.consume(after_ms=2 * HOUR_MS)
    assert before.curve
    assert shop.state().curve == before.curve
    shop.check()


def test_rules_in_force_for_an_hour_leave_no_curve_of_others() -> None:
    shop = shop_of_a_regular(RISING)
    shop.consume(after_ms=2 * DAY_MS)
    before = shop.state()
    shop.consume(TOO_OLD)
    shop.change(COUNTING)
    shop.consume(after_ms=2 * HOUR_MS)
    shop.check()
    shop.change(RISING)
    shop.consume(after_ms=2 * HOUR_MS)
    assert shop.state().curve != before.curve
    shop.check()
    with pytest.raises(AssertionError, match="not the user's curves"):
        shop.witness.check_curves(USER, before.absence_curve(), before.followed_curve())


def test_rules_that_end_an_alert_wait_for_an_event_ahead_of_the_clock() -> None:
    edged = of(RISING, edges=(0.3, 0.5, 0.9), least_active_days=1)
    long, short = (of(edged, horizon_ms=days * DAY_MS) for days in (90, 3))
    shop = shop_of_a_regular(long)
    shop.consume(after_ms=12 * DAY_MS)
    shop.consume(Visit(4 * DAY_MS, 0, "view", late_ms=-2 * HOUR_MS))
    assert shop.state().alert_state.episode
    shop.change(short)
    shop.consume(after_ms=HOUR_MS + HOUR_MS // 2)
    assert shop.state().alert_state.episode
    shop.consume(after_ms=HOUR_MS)
    assert [(d.transition, d.reason) for d in shop.worker.decisions][-1] == ("resolved", "expired")


def test_what_a_late_event_says_just_before_midnight_may_be_heard_just_after() -> None:
    shop = Shop(of(RISING, edges=(0.3, 0.5, 0.9), daily_budget=1))
    shop.consume(Visit(0, 0, "view", late_ms=50 * DAY_MS), Visit(0, 0, "view", late_ms=15 * DAY_MS))
    shop.consume(after_ms=55 * SECOND_MS)
    shop.consume(Visit(0, 0, "view", late_ms=15 * DAY_MS - HOUR_MS), after_ms=10 * SECOND_MS)
    assert [d.transition for d in shop.worker.decisions if d.action == "sent"] == []
    shop.consume(after_ms=DAY_MS)
    assert [d.decided_ms for d in shop.worker.decisions if d.action == "sent"] == [START_MS + DAY_MS]


def shop_of_a_buyer(terms: Terms) -> Shop:
    """Its user has bought so much that there is much to lose long before the usual gap is over."""
    shop = Shop(terms)
    shop.consume(*[Visit(5 * DAY_MS, 0, "purchase")] * 15)
    return shop


def pass_days(shop: Shop, days: int) -> None:
    for _ in range(days):
        shop.consume(after_ms=DAY_MS)


def test_who_is_on_time_is_raised_when_no_longer_on_time() -> None:
    shop = shop_of_a_buyer(DECLINING)
    pass_days(shop, 30)
    raised = [d for d in shop.worker.decisions if d.transition == "raised"][-1]
    assert raised.usual is not None
    assert 0 <= raised.usual.overdue - 2.0 < 1 / raised.usual.gap_days, (
        "within the day that a tick finds late"
    )
    assert raised.level == 3


@pytest.mark.parametrize(
    ("overdue_ms", "fault"),
    [(0, "alarmed about who is on time"), (START_MS + 100 * DAY_MS, "silence was not noticed")],
)
def test_the_witness_objects_to_another_idea_of_overdue(
    monkeypatch: pytest.MonkeyPatch, overdue_ms: int, fault: str
) -> None:
    monkeypatch.setattr(user_process, "overdue_ms_of", lambda *_: overdue_ms)
    with pytest.raises(AssertionError, match=fault):
        pass_days(shop_of_a_buyer(DECLINING), 24)


def test_a_band_is_left_a_share_below_its_edge() -> None:
    shop = shop_of_a_buyer(FADING)
    pass_days(shop, 60)
    assert [d.transition for d in shop.worker.decisions][-1] == "deescalated"


def test_the_witness_objects_to_bands_left_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "leave_edges", property(lambda policy: [e * 0.995 for e in policy.edges]))
    with pytest.raises(AssertionError):
        pass_days(shop_of_a_buyer(FADING), 60)
