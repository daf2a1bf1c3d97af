"""How much was lost, by hand: of households that spend 10 at a time in a shop that keeps its level."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.event import Event
from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.customers import Customers
from streamer.analysis.backtest.decline import DeclineJudge
from streamer.analysis.backtest.judgement import Period
from streamer.analysis.backtest.level import ShopWeeks
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.core.history.calendar import UTC
from streamer.core.history.usual import ShopMean
from streamer.core.insights.shortfall import ShopLevel
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.demo.judgement.evaluation import RaisedAlert, Snapshot
from streamer.demo.judgement.households import Households
from streamer.demo.judgement.judge import Judge
from streamer.demo.judgement.lost import Lost, by_absence, judge_lost, week_begins
from streamer.demo.source import split_at
from streamer.testing import partition_events
from tests.demo_messages import decline_manifest, manifest

START = 1_483_228_800_000
TERMS = DeclineTerms(20 * DAY_MS, ShopMean(0.0, 0.0, 0.0, 0.0), "purchase", LossTerms("decline"))
ACTIVE_MS = 60 * DAY_MS


def at(day: float) -> int:
    return START + round(day * DAY_MS)


def bought(user: str, first: float, until: float, gap: float) -> list[Event]:
    days = np.arange(first, until, gap).tolist()
    return [Event(f"{user}-{day}", user, "purchase", at(day), value=10.0) for day in days]


EVENTS = sorted(
    [
        *bought("stops", 0.5, 100, 2),
        *bought("goes on", 0.5, 140, 2),
        *bought("stopped", 0.5, 100, 4),
        *bought("new", 98, 100, 1),
        *bought("long gone", 0.5, 30, 2),
    ],
    key=lambda event: event.timestamp,
)
PERIOD = Period(at(100), at(114), 28 * DAY_MS)
WEEKS = ShopWeeks(at(100), [ShopLevel(1000.0, 1.0)] * 3, lost=200.0)
SNAPSHOTS = [
    Snapshot(
        at(day),
        ["stops", "goes on", "stopped", "new", "long gone"],
        np.array([0.1, 0.2, 0.9, 0.95, 0.99]),
        np.full(5, at(99)),
    )
    for day in (100, 107, 114)
]
RAISED = [
    RaisedAlert("stops", at(102)),
    RaisedAlert("goes on", at(103)),
    RaisedAlert("stops", at(110)),
    RaisedAlert("stopped", at(99)),
    RaisedAlert("stopped", at(114.5)),
]


def households_of(events: list[Event]) -> Households:
    known = Households()
    for event in events:
        known.note(event.user_id, event.timestamp, event.value or 0.0)
    return known


@pytest.fixture
def judge() -> DeclineJudge:
    customers = Customers(partition_events(EVENTS), TERMS, UTC)
    outcomes = Outcomes(((event.user_id, event.timestamp) for event in EVENTS), at(140))
    return DeclineJudge(TERMS, customers, WEEKS, outcomes, PERIOD)


def test_each_households_first_alert_in_the_period_is_judged(judge: DeclineJudge) -> None:
    """One spends nothing of its 100 or so, the other one all of it."""
    found = judge_lost(judge, RAISED, SNAPSHOTS, ACTIVE_MS, "USD")
    assert found.alerts == 2
    assert found.shortfall == pytest.approx((100 + 0) / 2, abs=3)
    assert found.shortfall_lo == pytest.approx(0, abs=3)
    assert found.shortfall_hi == pytest.approx(100, abs=3)
    assert found.decline == 0.5
    assert found.caught_share == pytest.approx((100 + 0) / 200, abs=0.02)
    # Last seen on days 98.5 and 102.5, usually two days apart.
    assert found.early_share == 0.5
    assert found.lead_days == pytest.approx((18.5 + 21.5) / 2, abs=0.1)
    # "stopped" spends nothing of its 50, "goes on" all of it.
    assert found.absence_shortfall == pytest.approx((50 + 0) / 2, abs=3)
    assert (found.lost_in_all, found.currency, found.window_days) == (200.0, "USD", 20.0)
    assert (found.since, found.until) == (format_timestamp(at(100)), format_timestamp(at(114)))


def test_the_absence_list_has_as_many_alerts_in_each_week_and_each_household_once(
    judge: DeclineJudge,
) -> None:
    """Of who is new nothing is usual, and who is long gone is not active."""
    raised = [RaisedAlert("a", at(101)), RaisedAlert("b", at(108)), RaisedAlert("c", at(108))]
    assert by_absence(judge.customers, raised, SNAPSHOTS, ACTIVE_MS) == [
        RaisedAlert("stopped", at(100)),
        RaisedAlert("goes on", at(107)),
        RaisedAlert("stops", at(107)),
    ]
    assert by_absence(judge.customers, [*raised, *raised[:1]], SNAPSHOTS[:1], ACTIVE_MS) == [
        RaisedAlert("stopped", at(100)),
        RaisedAlert("goes on", at(100)),
    ]


def test_without_alerts_there_is_nothing_to_tell(judge: DeclineJudge) -> None:
    found = judge_lost(judge, [], SNAPSHOTS, ACTIVE_MS, "USD")
    assert isinstance(found, Lost)
    assert found.alerts == 0
    assert found.shortfall is found.caught_share is found.absence_shortfall is None


def test_weeks_begin_within_the_period() -> None:
    assert week_begins(PERIOD) == [at(100), at(107), at(114)]
    assert week_begins(Period(at(100), at(99), 0)) == []


def test_records_are_split_at_each_moment() -> None:
    records = [(b"", b"", time) for time in (1, 2, 5, 5, 9)]
    parts = [[time for *_, time in part] for part in split_at(records, [2, 5, 20])]
    assert parts == [[1], [2], [5, 5, 9], []]


def test_a_bundle_of_absence_is_judged_by_absence_alone() -> None:
    judge = Judge(manifest(), households_of(EVENTS), [], "USD")
    assert judge.moments_ms == [judge.evaluated_ms]
    judge.look(Snapshot(judge.evaluated_ms, [], np.zeros(0), np.zeros(0, np.int64)))
    verdict = judge.verdict([])
    assert (verdict.evaluation.n, verdict.confrontation.judged, verdict.lost) == (0, 0, None)


def test_a_bundle_of_decline_is_looked_at_each_week_that_its_window_allows() -> None:
    ends = parse_timestamp("2017-12-11T00:00:00Z")
    known = Households()
    known.note("u", ends)
    moments = Judge(decline_manifest(), known, [], "USD").moments_ms
    assert [format_timestamp(moment)[:10] for moment in moments] == [
        "2017-10-01", "2017-10-08", "2017-10-15", "2017-12-03",
    ]  # fmt: skip
    assert len(Judge(decline_manifest(), households_of(EVENTS), [], "USD").moments_ms) == 1
