"""What customers did after a moment, counted event by event."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.examples import Decline, Examples, label
from models.data.histories import Histories, aggregates_at, collect
from models.data.moments import Moments
from models.data.outcomes import spend_within, visits_within
from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean, usual_of

START_MS = 1_483_228_800_000
KINDS: tuple[str, ...] = ("purchase", "view", "refund", "coupon_received")
SHOP = ShopMean(visit_days=0.2, visit_strength_days=8.0, spend=2.0, spend_strength_days=4.0)


def drawn(seed: int, users: int = 12, days: int = 90) -> list[Event]:
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(users * days // 3):
        user, kind = f"u{random.integers(users):02}", KINDS[random.choice(4, p=(0.6, 0.2, 0.1, 0.1))]
        when = START_MS + int(random.integers(days * DAY_MS))
        events.append(Event(str(number), user, kind, when, value=float(random.integers(1, 50))))
    return sorted(events, key=lambda event: event.timestamp)


def every_moment(histories: Histories) -> Moments:
    """Right after each event, and half a day later where nothing has happened in between."""
    event = np.arange(len(histories.tokens))
    return Moments(event, histories.times.astype(np.float64) + 1)


@pytest.mark.parametrize("churn_types", ["purchase", "any"])
@pytest.mark.parametrize("seed", range(3))
def test_visits_and_spend_are_those_of_a_count(churn_types: ChurnTypes, seed: int) -> None:
    events = drawn(seed)
    histories = collect(events)
    by_user = [
        [event for event in events if event.user_id == user]
        for user in sorted({event.user_id for event in events})
    ]
    moments, window = every_moment(histories), 20 * DAY_MS
    visits = visits_within(histories, moments, window, churn_types)
    spend = spend_within(histories, moments, window)
    users = histories.user_of(moments.event)
    for at, (user, now) in enumerate(zip(users, moments.time_ms, strict=True)):
        counted = [
            event
            for event in by_user[user]
            if event.type == "purchase" or (churn_types == "any" and event.type != "coupon_received")
        ]
        before = {event.timestamp // DAY_MS for event in counted if event.timestamp < now}
        within = {event.timestamp // DAY_MS for event in counted if now <= event.timestamp < now + window}
        assert visits[at] == len(within - before)
        money = sum(
            (event.value or 0.0) * {"purchase": 1, "refund": -1}.get(event.type, 0)
            for event in by_user[user]
            if now <= event.timestamp < now + window
        )
        assert spend[at] == pytest.approx(money)


def asked(histories: Histories, until_ms: int, window_days: int = 20) -> Examples:
    decline = Decline(SHOP, window_days * DAY_MS)
    return label(histories, every_moment(histories), 10 * DAY_MS, "purchase", until_ms, decline=decline)


def test_who_comes_on_fewer_than_half_of_the_usual_days_declines() -> None:
    histories = collect(drawn(1))
    until_ms = START_MS + 90 * DAY_MS
    found = asked(histories, until_ms)
    usual = usual_of(aggregates_at(histories, found.moments.event), SHOP, "purchase")
    visits = visits_within(histories, found.moments, 20 * DAY_MS, "purchase")
    known = ~np.isnan(found.declined)
    assert 50 < known.sum() < len(known)
    assert set(np.unique(found.declined[known])) == {0.0, 1.0}
    assert (found.declined[known] == (visits < 10.0 * usual.visit_days)[known]).all()
    assert (found.spend[known] >= 0).all()


def test_only_whole_windows_before_the_end_count() -> None:
    histories = collect(drawn(2))
    until_ms = START_MS + 60 * DAY_MS
    early = asked(histories, until_ms)
    known = ~np.isnan(early.declined)
    assert early.moments.time_ms[known].max() + 20 * DAY_MS <= until_ms
    late = asked(histories, START_MS + 90 * DAY_MS)
    assert (early.declined[known] == late.declined[known]).all()
    assert (early.spend[known] == late.spend[known]).all()
    assert np.isnan(asked(histories, until_ms, window_days=80).declined).all()


def test_without_a_question_of_decline_nothing_is_known_of_it() -> None:
    histories = collect(drawn(0))
    found = label(histories, every_moment(histories), DAY_MS, "purchase", START_MS + 90 * DAY_MS)
    assert np.isnan(found.declined).all()
    assert np.isnan(found.spend).all()
