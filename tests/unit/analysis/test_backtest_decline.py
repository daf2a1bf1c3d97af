"""Alerts judged by what their customers spent and how often they came: by hand, and over a small shop."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from models.baselines.alerts import decline_models
from models.baselines.overdue import OverdueRisk
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.analysis.backtest.absence_model import AbsenceModel
from streamer.analysis.backtest.budget import edge_near, with_watch_edge, without_bands
from streamer.analysis.backtest.customers import Customers, Windows
from streamer.analysis.backtest.decline import DeclineJudge, FirstRaises, first_raises, mean_interval
from streamer.analysis.backtest.judgement import Period
from streamer.analysis.backtest.level import NO_LEVEL, ShopWeeks
from streamer.analysis.backtest.lists import lists_of
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.analysis.backtest.run import Backtest, decline_judge, shop_of
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.history.calendar import UTC
from streamer.core.history.usual import ShopMean
from streamer.core.insights.shortfall import ShopLevel
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.testing import partition_events
from streamer.testing.fixed_model import FixedDeclineModel

START = 1_483_228_800_000
WINDOW_DAYS = 20
TERMS = DeclineTerms(
    WINDOW_DAYS * DAY_MS, ShopMean(0.0, 0.0, 0.0, 0.0), "purchase", LossTerms("decline", 1.0)
)
DECLINE = cast(DeclineTerms, FixedDeclineModel.decline)
POLICY = Policy(
    edges=(20.0, 40.0, 80.0),
    horizon_ms=56 * DAY_MS,
    alert_by="loss",
    least_overdue=1.0,
    hysteresis=0.1,
)


def at(day: float) -> int:
    return START + round(day * DAY_MS)


def bought(user: str, *days: float, value: float = 10.0) -> list[Event]:
    return [Event(f"{user}-{day}", user, "purchase", at(day), value=value) for day in days]


def every(gap: float, until: float, first: float = 0.5) -> list[float]:
    return np.arange(first, until, gap).tolist()


def customers_of(*histories: list[Event]) -> Customers:
    events = sorted((event for each in histories for event in each), key=lambda event: event.timestamp)
    return Customers(partition_events(events), TERMS, UTC)


def raised(user: str, day: float) -> Decision:
    return Decision(
        user, "sent", "raised", "silence", None, f"{user}'s", 1, 1, 0.6, at(day), at(day - 1), offset=0
    )


def ask(customers: Customers, user: str, day: float) -> Windows:
    return customers.windows(customers.numbers([user]), np.array([at(day)]))


def test_usual_is_as_of_the_last_visit_and_the_window_begins_after_the_moment() -> None:
    """Every second day for 10, then days 110.5 and 115.5 of the window from day 110 on."""
    customers = customers_of(bought("a", *every(2, 100), 110.5, 115.5, 129.99, 130.01))
    found = ask(customers, "a", 110)
    # Decayed sums over what they are sums over: about every second day, ten a visit.
    assert found.usual.visit_days[0] == pytest.approx(0.5, abs=0.01)
    assert found.usual_spend[0] == pytest.approx(0.5 * 10 * WINDOW_DAYS, rel=0.02)
    assert found.usual.last_visit_ms[0] == at(98.5)
    assert found.spend[0] == 30.0
    assert found.declined[0]  # 3 days of the usual 10
    later = ask(customers, "a", 100)
    assert later.usual.visit_days[0] == found.usual.visit_days[0]
    assert later.spend[0] == 20.0


def test_a_decline_is_fewer_than_half_of_the_usual_visit_days() -> None:
    """Every second day is a good ten of twenty; two purchases of a day are one visit."""
    coming = [101.1, 103.1, 105.1, 107.1, 109.1, 111.1]
    few = [101.1, 101.2, 103.1, 105.1, 107.1, 109.1]
    customers = customers_of(bought("a", *every(2, 100), *coming), bought("b", *every(2, 100), *few))
    assert WINDOW_DAYS * ask(customers, "a", 100).usual.visit_days[0] == pytest.approx(10.1, abs=0.1)
    assert not ask(customers, "a", 100).declined[0]
    assert ask(customers, "b", 100).declined[0]


def test_refunds_unknown_amounts_duplicates_and_few_visits() -> None:
    usual = every(5, 100)
    refund = Event("r", "a", "refund", at(102), value=25.0)
    unknown = Event("u", "b", "purchase", at(103))
    twice = bought("c", *usual, 101)
    customers = customers_of(
        bought("a", *usual, 101),
        [refund],
        bought("b", *usual, 101),
        [unknown],
        twice,
        twice,
        bought("d", 1, 2, 3),
    )
    assert ask(customers, "a", 100).spend[0] == 0.0  # 10 less 25 is nothing
    assert np.isnan(ask(customers, "b", 100).spend[0])
    assert ask(customers, "b", 102.5).declined[0]
    assert ask(customers, "c", 100).spend[0] == 10.0
    assert not ask(customers, "d", 100).usual.known[0]


def test_active_is_who_had_acted_within_the_days_before() -> None:
    customers = customers_of(bought("a", 1, 50), bought("b", 80), bought("c", 120))
    names = {number: name for name, number in zip("abc", customers.numbers("abc").tolist(), strict=True)}
    assert {names[each] for each in customers.active_at(at(100), 60 * DAY_MS).tolist()} == {"a", "b"}
    assert {names[each] for each in customers.active_at(at(100), 30 * DAY_MS).tolist()} == {"b"}
    assert customers.active_at(at(80) - 1, 29 * DAY_MS).tolist() == []
    assert {names[each] for each in customers.active_at(at(80), 29 * DAY_MS).tolist()} == {"b"}


PERIOD = Period(at(100), at(114), 10 * DAY_MS)
WEEKS = ShopWeeks(
    at(100),
    [ShopLevel(cap=1000.0, level=0.8), ShopLevel(cap=50.0, level=0.5), NO_LEVEL],
    lost=200.0,
)


def judge_of(customers: Customers, events: list[Event]) -> DeclineJudge:
    outcomes = Outcomes(((event.user_id, event.timestamp) for event in events), at(200))
    return DeclineJudge(TERMS, customers, WEEKS, outcomes, PERIOD)


def test_first_raises_are_judged_by_hand() -> None:
    """a stays away; b comes as ever; c has no usual; d is raised early, in the second week."""
    events = [
        *bought("a", *every(2, 100)),
        *bought("b", *every(2, 140)),
        *bought("c", 1, 99),
        *bought("d", *every(10, 106), value=100.0),
    ]
    events.sort(key=lambda event: event.timestamp)
    judge = judge_of(Customers(partition_events(events), TERMS, UTC), events)
    decisions = [
        raised("a", 102), raised("b", 103), raised("c", 103), raised("d", 108), raised("a", 111),
        raised("b", 99), raised("d", 115),
    ]  # fmt: skip
    found = judge.judge(decisions)
    customers = judge.customers
    usual = {name: float(ask(customers, name, day).usual_spend[0]) for name, day in
             (("a", 102), ("b", 103), ("d", 108))}  # fmt: skip
    assert usual["a"] == pytest.approx(100, rel=0.02)
    assert usual["d"] == pytest.approx(200, rel=0.1)
    assert found.a_week == 4 / 2
    assert found.judged == 3
    assert found.decline == pytest.approx(2 / 3)
    # b has bought on ten days of the twenty after day 103. d is capped, and at another week's level.
    a, b, d = 0.8 * usual["a"], 0.8 * usual["b"] - 100.0, 0.5 * 50.0
    assert found.shortfall == pytest.approx((a + b + d) / 3)
    assert found.shortfall_raw == pytest.approx((usual["a"] + usual["b"] - 100.0 + usual["d"]) / 3)
    assert found.caught_share == pytest.approx((a + b + d) / 200.0)
    assert found.shortfall_lo is not None
    assert found.shortfall is not None
    assert found.shortfall_hi is not None
    assert min(a, b, d) <= found.shortfall_lo < found.shortfall < found.shortfall_hi <= max(a, b, d)
    # The last visits are on days 98.5, 102.5 and 100.5; usually they are 2, 2 and about 10 days apart.
    assert found.early_share == pytest.approx(2 / 3)
    assert found.absent == pytest.approx(3 / 4)  # all but b, c too
    assert found.lead_days == pytest.approx(102.5 + 2 + WINDOW_DAYS - 103, abs=0.1)


def test_only_the_first_raise_within_the_period_is_judged() -> None:
    decisions = [raised("a", 99), raised("a", 107), raised("b", 103), raised("a", 101), raised("b", 120)]
    assert [(each.user_id, each.decided_ms) for each in first_raises(decisions, PERIOD)] == [
        ("a", at(101)),
        ("b", at(103)),
    ]


def test_without_raises_or_a_usual_there_is_nothing_to_tell() -> None:
    events = bought("c", 1, 99)
    judge = judge_of(customers_of(events), events)
    assert judge.judge([]) == FirstRaises(a_week=0.0, judged=0)
    found = judge.judge([raised("c", 101)])
    assert (found.a_week, found.judged, found.absent) == (0.5, 0, 1.0)
    assert (found.decline, found.shortfall, found.early_share, found.lead_days) == (None,) * 4
    without = judge._replace(terms=TERMS._replace(loss=None))
    assert without.judge([raised("c", 101)]).shortfall is None


def test_the_level_is_that_of_everybody_active_and_each_is_counted_once() -> None:
    """a halves what he spends, b spends as ever; c is silent for too long, d has no usual."""
    customers = customers_of(
        bought("a", *every(2, 100), *every(4, 140, first=100.5)),
        bought("b", *every(2, 160)),
        bought("c", *every(2, 30)),
        bought("d", 98, 99),
    )
    weeks = ShopWeeks.of(customers, Period(at(100), at(107), 10 * DAY_MS), active_ms=30 * DAY_MS)
    assert len(weeks.levels) == 2
    usual = float(ask(customers, "a", 100).usual_spend[0])
    assert weeks.levels[0].cap == pytest.approx(usual)
    actual_b = min(100.0, usual)
    assert weeks.levels[0].level == pytest.approx((50.0 + actual_b) / (2 * usual))
    assert weeks.lost == pytest.approx(weeks.levels[0].level * usual - 50.0)
    moments = np.array([at(100), at(106.9), at(107)])
    by_week = weeks.shortfalls(moments, np.full(3, 60.0), np.full(3, 10.0))
    assert by_week[0] == by_week[1] == pytest.approx(60.0 * weeks.levels[0].level - 10.0)
    assert by_week[2] == pytest.approx(60.0 * weeks.levels[1].level - 10.0)
    nobody = ShopWeeks.of(customers, Period(at(1), at(2), 10 * DAY_MS), active_ms=1)
    assert (list(nobody.levels), nobody.lost) == ([NO_LEVEL], 0.0)


def test_an_interval_is_that_of_means_and_the_same_each_time() -> None:
    values = np.random.default_rng(5).normal(10.0, 20.0, 400)
    low, high = mean_interval(values)
    assert (low, high) == mean_interval(values)
    assert values.mean() - low == pytest.approx(1.96 * 20 / 20, rel=0.15)
    assert high - values.mean() == pytest.approx(1.96 * 20 / 20, rel=0.15)
    assert mean_interval(np.array([3.0])) == (3.0, 3.0)


@pytest.mark.parametrize("guess", [0.5, 20.0, 1000.0])
def test_edges_of_amounts_are_found_from_any_guess(guess: float) -> None:
    losses = np.random.default_rng(1).lognormal(3.0, 1.5, 2000)
    trials: list[float] = []

    def trial(edge: float) -> tuple[int, float]:
        trials.append(edge)
        return int((losses >= edge).sum()), edge

    edge, result = edge_near(guess, POLICY, 250.0, trial)
    assert edge == result
    assert int((losses >= edge).sum()) == pytest.approx(250, abs=3)
    assert len(trials) <= 9


def test_edges_of_risks_stay_risks_and_the_nearest_counts() -> None:
    policy = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=DAY_MS)
    risks = np.linspace(0.9, 0.999, 100)
    edge, count = edge_near(0.3, policy, 40.0, lambda edge: ((risks >= edge).sum(), (risks >= edge).sum()))
    assert 0.9 < edge < 0.999
    assert count == 40
    # None brings 30: ten customers of one loss, and no others.
    found, count = edge_near(5.0, POLICY, 30.0, lambda edge: (10 if edge < 7 else 0, edge < 7))
    assert found < 7
    assert count


def test_bands_are_laid_in_the_unit_of_the_policy() -> None:
    laid = with_watch_edge(POLICY, 12.5)
    assert (laid.edges, laid.hysteresis) == ((12.5, 25.0, 50.0), POLICY.hysteresis)
    assert without_bands(POLICY).level(1e12) == 0
    risk = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=DAY_MS)
    assert without_bands(risk).level(0.9999) == 0


def shop(users: int = 60) -> list[Event]:
    """Customers with a rhythm of their own, some of whom stop for good."""
    random = np.random.default_rng(3)
    events: list[Event] = []
    for user in range(users):
        day, value = float(random.uniform(0, 20)), float(random.uniform(5, 60))
        while day < 300:
            events.append(Event(f"{user}-{day}", f"u{user}", "purchase", at(day), value=value))
            day += float(random.gamma(3, 2)) if random.random() > 0.02 else 500.0
    return sorted(events, key=lambda event: event.timestamp)


def test_lists_are_compared_at_the_same_number_of_first_raises() -> None:
    model = FixedDeclineModel()
    history = shop_of(shop(), any_event_returns=False, currency=None)
    period = Period(at(180), at(240), 10 * DAY_MS)
    judge = decline_judge(history, period, model, 60 * DAY_MS)
    backtest = Backtest(history, period, lambda _what, _done: None, judge)
    overdue = OverdueRisk(DECLINE.shop, "purchase")
    baselines = {"overdue": decline_models(overdue, model, DECLINE)["overdue"]}
    rows = {row.alerts: row for row in backtest.compared(model, POLICY, baselines, 2.0)}
    assert list(rows) == ["bundle", "absence", "overdue"]
    for row in rows.values():
        assert row.a_week == pytest.approx(2.0, abs=0.5)
        assert row.judged is not None
        assert row.shortfall_lo is not None
        assert row.shortfall is not None
        assert row.shortfall_hi is not None
        assert row.shortfall_lo <= row.shortfall <= row.shortfall_hi
    assert rows["bundle"].early_share == rows["overdue"].early_share == 0.0
    policy = backtest.of_policy("policy", model, POLICY)
    assert policy.early_share == 0.0
    assert policy.watch == 20.0


def test_each_list_has_the_rules_that_go_with_its_signal() -> None:
    model = FixedDeclineModel()
    baselines = decline_models(OverdueRisk(DECLINE.shop, "purchase"), model, DECLINE)
    lists = lists_of(model, POLICY, 28 * DAY_MS, baselines)
    assert lists["bundle"].policy == POLICY
    absence = lists["absence"]
    assert isinstance(absence.model, AbsenceModel)
    assert absence.model.decline is None
    assert absence.model.identity != model.identity
    assert (absence.policy.alert_by, absence.policy.least_overdue) == ("probability", 0.0)
    assert absence.policy.horizon_ms == 28 * DAY_MS
    assert (lists["overdue"].policy.alert_by, lists["overdue"].policy.least_overdue) == ("probability", 1.0)
    assert (lists["lightgbm"].policy.alert_by, lists["lightgbm"].policy.horizon_ms) == ("loss", 56 * DAY_MS)
