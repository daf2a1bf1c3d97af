"""Alerts by a model that foretells decline: by the money at stake, and never about who is on time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from schemas.bundle.decline import LossMethod
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.engine.partition import Rules
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, LossTerms, expected_loss
from streamer.testing import FixedDeclineModel, FixedModel, PartitionDriver, partition_events

START = 1_483_228_800_000
POLICY = Policy(
    edges=(20.0, 60.0, 200.0),
    horizon_ms=56 * DAY_MS,
    alert_by="loss",
    least_overdue=1.0,
    hysteresis=0.1,
    least_active_days=1,
    cooldown_ms=0,
    weekly_cap=9,
    disorder_ms=0,
)


def purchases(user_id: str, gap_days: float, count: int, value: float = 50.0) -> list[Event]:
    return [
        Event(f"{user_id}-{n}", user_id, "purchase", START + round(n * gap_days * DAY_MS), value=value)
        for n in range(count)
    ]


def marker(day: float) -> Event:
    """Somebody else, by whose event time has passed."""
    return Event(f"marker-{day}", "marker", "view", START + round(day * DAY_MS))


def run_of(events: Sequence[Event], **changed: object) -> PartitionDriver:
    run = PartitionDriver.of(msgspec.structs.replace(POLICY, **changed), FixedDeclineModel())
    run.process(partition_events(sorted(events, key=lambda event: event.timestamp)))
    return run


def of(user_id: str, run: PartitionDriver, since_ms: int = 0, *, every: bool = False) -> list[Decision]:
    """What was sent about the user, or every decision, after ``since_ms``."""
    return [
        d
        for d in run.decisions
        if d.user_id == user_id and d.decided_ms > since_ms and (d.action == "sent" or every)
    ]


@pytest.mark.parametrize("gap_days", [1.0, 6.0, 13.0])
def test_nobody_is_raised_before_the_own_gap_has_passed(gap_days: float) -> None:
    bought = purchases("u", gap_days, 50)
    run = run_of([*bought, marker(50 * gap_days + 50)])
    last_ms = bought[-1].timestamp
    raised = of("u", run, last_ms)[0]
    assert (raised.action, raised.transition, raised.reason) == ("sent", "raised", "silence")
    assert raised.usual is not None
    assert raised.usual.overdue >= 1.0
    assert raised.decided_ms >= last_ms + raised.usual.gap_days * DAY_MS
    assert raised.usual.gap_days == pytest.approx(gap_days, rel=0.35)
    assert raised.loss is not None
    assert raised.loss >= POLICY.edges[0]
    assert raised.next_purchase_ms == pytest.approx(last_ms + raised.usual.gap_days * DAY_MS, abs=1)


def test_the_deadline_falls_where_it_becomes_overdue() -> None:
    bought = purchases("u", 10.0, 20, value=1000.0)
    run = run_of([*bought, marker(190 + 60)])
    raised = of("u", run, bought[-1].timestamp)[0]
    assert raised.usual is not None
    # Far above the edge long before: what is waited for is the usual gap.
    assert raised.decided_ms == bought[-1].timestamp + math.ceil(raised.usual.gap_days * DAY_MS)
    assert raised.usual.overdue == pytest.approx(1.0, abs=1e-9)
    assert of("u", run_of([*bought, marker(190 + 8)]), bought[-1].timestamp) == []


def test_every_40_days_is_alarmed_about_when_overdue() -> None:
    bought = purchases("u", 40.0, 8, value=400.0)
    raised = of("u", run_of([*bought, marker(7 * 40 + 70)]), bought[-1].timestamp)[0]
    assert raised.transition == "raised"
    days = (raised.decided_ms - bought[-1].timestamp) / DAY_MS
    assert 28 < days < 60


def test_an_event_raises_only_who_is_overdue() -> None:
    bought = purchases("u", 6.0, 20, value=1000.0)
    emptied = [
        Event(f"r{n}", "u", "remove_from_cart", bought[-1].timestamp + round(day * DAY_MS))
        for n, day in enumerate((0.1, 0.2, 0.3, 9.5))
    ]
    raised = of("u", run_of([*bought, *emptied, marker(130)]), bought[-1].timestamp)
    assert raised
    assert raised[0].usual is not None
    assert raised[0].usual.overdue >= 1.0


def test_without_a_usual_nothing_is_raised_and_that_is_on_record_once() -> None:
    run = run_of([*purchases("u", 5.0, 3, value=1000.0), marker(40), marker(41)])
    found = [(d.action, d.obstacle, d.transition) for d in of("u", run, every=True)]
    assert found == 3 * [("suppressed", "no_usual", "raised")], "once for each silence"
    back = Event("back", "u", "purchase", START + 45 * DAY_MS, value=9.0)
    run.process(partition_events([back]))
    assert run.state("u").alert_state.obstacle is None
    assert math.isnan(run.state("u").loss) is False


def test_a_view_is_no_visit_and_is_not_recorded_again() -> None:
    run = run_of([*purchases("u", 5.0, 3), marker(40)])
    run.process(partition_events([Event("v", "u", "view", START + 42 * DAY_MS), marker(60)]))
    assert len(of("u", run, every=True)) == 3


@pytest.mark.parametrize(("bought_day", "ends"), [(119.0, True), (115.0, False)])
def test_a_late_purchase_may_show_that_an_alert_was_about_who_was_on_time(
    bought_day: float, ends: bool
) -> None:
    view = Event("v", "u", "view", START + 120 * DAY_MS)
    run = run_of([*purchases("u", 6.0, 20, value=300.0), view, marker(123)])
    opened = of("u", run, view.timestamp)[0]
    assert opened.transition == "raised"
    late = Event("late", "u", "purchase", START + round(bought_day * DAY_MS), value=300.0)
    run.process(partition_events([late]))
    assert (of("u", run)[-1].reason == "late_event") == ends
    assert (run.state("u").alert_state.episode is None) == ends


def test_returns_above_purchases_leave_nothing_to_lose() -> None:
    bought = purchases("u", 5.0, 8, value=100.0)
    returned = [
        Event(f"back-{n}", "u", "refund", event.timestamp + 1000, value=150.0)
        for n, event in enumerate(bought)
    ]
    run = run_of([*bought, *returned, marker(80)])
    assert of("u", run) == []
    assert run.state("u").usual_spend == 0.0


def test_bands_are_left_a_share_below_their_edge() -> None:
    policy = msgspec.structs.replace(POLICY, hysteresis=0.25)
    assert policy.leave_edges == (15.0, 45.0, 150.0)
    assert (policy.level(19.9), policy.level(20.0), policy.level(1e9)) == (0, 1, 3)
    assert policy.level(math.nan) == 0
    floor = msgspec.structs.replace(POLICY, least_loss=70.0)
    assert (floor.level(65.0), floor.level(70.0)) == (0, 2)


def test_the_least_loss_is_waited_for() -> None:
    bought = purchases("u", 5.0, 20)
    early = of("u", run_of([*bought, marker(150)]), bought[-1].timestamp)[0]
    assert early.loss is not None
    least = early.loss + 10.0
    late = of("u", run_of([*bought, marker(150)], least_loss=least), bought[-1].timestamp)[0]
    assert late.loss is not None
    assert late.loss >= least
    assert late.decided_ms > early.decided_ms


def test_the_window_takes_the_horizons_place() -> None:
    bought = purchases("u", 6.0, 20)
    run = run_of([*bought, marker(114 + 100)])
    opened, *_, closed = of("u", run, bought[-1].timestamp)
    assert (closed.transition, closed.reason) == ("resolved", "expired")
    assert closed.decided_ms == opened.decided_ms + 56 * DAY_MS


def test_the_budget_goes_to_the_highest_loss() -> None:
    rich, poor = purchases("rich", 6.0, 20, value=300.0), purchases("poor", 6.0, 20, value=60.0)
    run = run_of([*rich, *poor, marker(150)], daily_budget=1)
    first = {user: next(d for d in of(user, run) if d.action == "sent") for user in ("rich", "poor")}
    assert first["rich"].decided_ms < first["poor"].decided_ms


def test_by_probability_those_without_a_usual_are_not_raised_either() -> None:
    events = [*purchases("new", 5.0, 3), *purchases("old", 5.0, 12), marker(100)]
    run = run_of(events, alert_by="probability", edges=(0.3, 0.5, 0.7), hysteresis=0.05)
    assert {d.obstacle for d in of("new", run, every=True)} == {"no_usual"}
    raised = of("old", run)[0]
    assert raised.action == "sent"
    assert raised.risk >= 0.3
    assert raised.absence is not None
    assert raised.absence != raised.risk


def test_another_model_that_knows_of_no_usual_ends_the_alert() -> None:
    """Whoever is below four visits by the model that takes over has no expected loss any more."""

    class Stricter(FixedDeclineModel):
        identity = b"stricter"

        def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
            return super().query(hidden, features)

        decline = FixedDeclineModel.decline and FixedDeclineModel.decline._replace(loss=None)

    run = run_of([*purchases("u", 6.0, 20), marker(125)])
    assert run.state("u").alert_state.episode is not None
    run.rules, run.model = Rules(run.rules.policy, False, 1), Stricter()
    run.recover()
    run.process(partition_events([marker(127)]))
    assert [(d.transition, d.reason) for d in of("u", run)][-1] == ("resolved", "recovered")


def test_absence_bundles_know_of_no_usual() -> None:
    policy = msgspec.structs.replace(
        POLICY, alert_by="probability", edges=(0.4, 0.6, 0.8), least_overdue=0.0, hysteresis=0.05
    )
    run = PartitionDriver.of(policy, FixedModel())
    run.process(partition_events([*purchases("u", 6.0, 20), marker(150)]))
    raised = of("u", run)[0]
    assert (raised.usual, raised.loss, raised.absence) == (None, None, None)
    state = run.state("u")
    assert (state.signal, state.absence, state.signal_curve) == (state.risk, state.risk, b"")


def test_however_batches_are_cut_the_decisions_are_the_same() -> None:
    events = sorted(
        [
            *purchases("a", 1.0, 90),
            *purchases("b", 6.5, 15, value=500.0),
            *purchases("c", 3.0, 3),
            *[Event(f"v{n}", "b", "view", START + n * 5 * DAY_MS + 77) for n in range(30)],
            *[marker(day) for day in range(0, 200, 3)],
        ],
        key=lambda event: event.timestamp,
    )
    records = partition_events(events)
    whole = PartitionDriver.of(POLICY, FixedDeclineModel())
    whole.process(records)
    single = PartitionDriver.of(POLICY, FixedDeclineModel())
    for record in records:
        single.process([record])
    assert whole.decisions == single.decisions
    assert len(whole.decisions) > 4
    assert whole.table == single.table


@pytest.mark.parametrize(
    ("method", "loss"), [("decline", 0.5 * 0.5 * 56.0), ("absence", 0.5 * 0.25 * 56.0), ("spend", 0.5 * 46.0)]
)
def test_the_three_ways_to_expect_a_loss(method: LossMethod, loss: float) -> None:
    answers = Answers(np.array([0.25]), np.array([0.5]), np.array([10.0]))
    shop = FixedDeclineModel.decline
    assert shop is not None
    terms = DeclineTerms(56 * DAY_MS, shop.shop, "purchase", LossTerms(method, 0.5))
    assert expected_loss(answers, np.array([1.0]), terms).tolist() == [loss]
    beyond = terms._replace(loss=LossTerms(method, 9.0))
    assert expected_loss(answers, np.array([1.0]), beyond).tolist() == [56.0], "never more than is usual"
    assert np.isnan(expected_loss(answers, np.array([np.nan]), terms)).all()
    assert np.isnan(expected_loss(answers, np.array([1.0]), terms._replace(loss=None))).all()
