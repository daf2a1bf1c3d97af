"""Alerts replayed and judged: by hand on a few users, and over a small shop from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.baselines.alerts import fit_baselines
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.budget import edge_for, with_watch_edge
from streamer.analysis.backtest.judgement import Period, judge
from streamer.analysis.backtest.outcomes import Outcomes
from streamer.analysis.backtest.run import Backtest, shop_of
from streamer.cli import run
from streamer.core.alerts.decisions import Decision, Reason, Transition
from streamer.core.alerts.policy import Policy
from streamer.data.files import write_events
from streamer.testing.fixed_model import FixedModel
from tests.tiny_training import START_MS, Watch, shop_events, train

START = 1_483_228_800_000
HORIZON_DAYS = 10
POLICY = Policy(edges=(0.5, 0.7, 0.9), horizon_ms=HORIZON_DAYS * DAY_MS)


def at(day: float) -> int:
    return START + round(day * DAY_MS)


def sent(
    user: str, day: float, transition: Transition = "raised", reason: Reason = "silence", last: float = 0
) -> Decision:
    return Decision(
        user, "sent", transition, reason, None, f"{user}'s", 1, 1, 0.6, at(day), at(last), offset=0
    )


def outcomes(end: float = 100, **days: list[float]) -> Outcomes:
    return Outcomes(((user, at(day)) for user, each in days.items() for day in each), at(end))


PERIOD = Period(at(20), at(40), HORIZON_DAYS * DAY_MS)


def test_an_alert_is_right_when_nobody_returns_within_the_horizon() -> None:
    known = outcomes(a=[5, 15, 35.0], b=[18, 28], c=[19])
    alerts = [sent("a", 24), sent("b", 24), sent("c", 25), sent("a", 19), sent("a", 41)]
    found = judge(alerts, known, PERIOD, users=10)
    assert (found.alerts, found.right) == (3, 2)
    assert found.precision == pytest.approx(2 / 3)
    assert found.alerts_a_week == pytest.approx(3 / (20 / 7))
    assert found.alerts_per_user_and_month == pytest.approx(3 / 10 / (20 / 30.4375))
    # a: the horizon after day 15 ends a day after the alert; c: four days after it.
    assert found.median_lead_days == pytest.approx((1 + 4) / 2)
    assert found.precision_interval is not None
    assert found.precision_interval.low < 2 / 3 < found.precision_interval.high


def test_a_return_at_the_horizons_very_end_is_no_return_within_it() -> None:
    known = outcomes(a=[15, 34.0], b=[15, 34.0 + 1 / DAY_MS])
    found = judge([sent("a", 24), sent("b", 24)], known, PERIOD, users=2)
    assert found.right == 1


@pytest.mark.parametrize(
    ("days", "departs"),
    [
        ([15.0, 35.0], True),  # an alert on days 20 to 25 is right, and before the tenth day of silence
        ([15.0, 30.0, 39.9, 49.9], False),  # one on day 20 is not
        ([5.0, 60.0], False),  # silent for a horizon before the period begins
        ([38.0, 49.0], True),
        ([39.5, 49.0], False),
        ([41.0], False),
    ],
)
def test_a_departure_is_a_silence_that_could_have_been_foretold(days: list[float], departs: bool) -> None:
    found = outcomes(a=days).departures(PERIOD.from_ms, PERIOD.to_ms, PERIOD.horizon_ms)
    assert bool(found) is departs


def test_recall_counts_each_departure_once() -> None:
    known = outcomes(a=[15, 90], b=[18], c=[19], d=[38, 39])
    alerts = [sent("a", 21), sent("a", 24), sent("b", 25)]
    found = judge(alerts, known, PERIOD, users=4)
    assert found.departures == 4
    assert found.recall == pytest.approx(2 / 4)


def test_flapping_is_what_is_soon_taken_back_without_a_return() -> None:
    known = outcomes(a=[15, 26], b=[15], c=[15], d=[15], e=[15])
    alerts = [sent(user, 24) for user in "abcde"]
    alerts += [
        sent("a", 26, "resolved", "purchase"),
        sent("b", 30, "resolved", "recovered"),
        sent("c", 25, "deescalated"),
        sent("c", 26, "deescalated"),
        sent("d", 31.5, "resolved", "recovered"),
        sent("e", 25, "escalated"),
    ]
    assert judge(alerts, known, PERIOD, users=5).flapping == pytest.approx(2 / 5)


def test_without_alerts_there_is_nothing_to_tell() -> None:
    found = judge([], outcomes(), PERIOD, users=0)
    assert (found.precision, found.recall, found.median_lead_days, found.flapping) == (None,) * 4


def test_the_edge_is_found_where_the_number_is_right_or_nearest() -> None:
    smooth, _ = edge_for(250, lambda edge: (round(1000 * (1 - edge)), edge))
    assert smooth == pytest.approx(0.75, abs=0.01)
    assert edge_for(250, lambda edge: (1000 if edge < 0.3 else 0, edge))[1] >= 0.3
    assert with_watch_edge(POLICY, 0.04).hysteresis == 0.02


def shop(users: int = 40) -> list[Event]:
    """Customers with a rhythm of their own, some of whom stop for good."""
    random = np.random.default_rng(3)
    events: list[Event] = []
    for user in range(users):
        day = float(random.uniform(0, 20))
        while day < 200:
            events.append(Event(f"{user}-{day}", f"u{user}", "purchase", at(day), value=10.0))
            day += float(random.gamma(3, 2)) if random.random() > 0.03 else 500.0
    return sorted(events, key=lambda event: event.timestamp)


def test_models_are_compared_at_the_same_number_of_alerts() -> None:
    events, model = shop(), FixedModel()
    history = shop_of(events, any_event_returns=False, currency=None)
    period = Period(at(120), at(185), POLICY.horizon_ms)
    backtest = Backtest(history, period, lambda _what, _done: None)
    row = backtest.of_budget("model", model, POLICY, 3.0)
    assert row.judgement.alerts_a_week == pytest.approx(3.0, abs=0.3)
    baselines = fit_baselines(
        events,
        period.from_ms,
        churn_types="purchase",
        horizon_ms=POLICY.horizon_ms,
        active_ms=30 * DAY_MS,
        currency=None,
        like=model,
    )
    for name, baseline in baselines.items():
        other = backtest.of_budget(name, baseline, POLICY, 3.0).judgement
        assert other.departures == row.judgement.departures > 5
        assert other.alerts_a_week == pytest.approx(3.0, abs=0.6)


def test_the_policy_row_is_what_the_policy_raises() -> None:
    history = shop_of(shop(), any_event_returns=False, currency=None)
    backtest = Backtest(history, Period(at(120), at(185), POLICY.horizon_ms), lambda _what, _done: None)
    assert backtest.of_policy("policy", FixedModel(), POLICY).judgement.alerts > 0
    from_later = Policy(edges=POLICY.edges, horizon_ms=POLICY.horizon_ms, alerts_from_ms=at(190))
    assert backtest.of_policy("policy", FixedModel(), from_later).judgement.alerts == 0


def test_a_period_without_outcomes_is_refused() -> None:
    history = shop_of(shop(3), any_event_returns=False, currency=None)
    with pytest.raises(ConfigurationError, match="--from"):
        Backtest(history, Period(at(195), at(190), POLICY.horizon_ms), lambda _what, _done: None)
    with pytest.raises(ConfigurationError, match="no event"):
        shop_of([], any_event_returns=False, currency=None)


def test_the_command_reports_what_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "bundle", Watch())
    write_events(tmp_path / "shop.ndjson", sorted(shop_events(), key=lambda event: event.timestamp))
    report = tmp_path / "report.json"
    begin = format_timestamp(START_MS + 80 * DAY_MS)
    files = [str(tmp_path / "shop.ndjson"), "--bundle", str(tmp_path / "bundle")]
    assert run(["backtest", *files, "--from", begin, "--alerts-a-week", "2", "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert [row["alerts"] for row in figures["rows"]] == ["policy", "bundle", "recency", "rfm"]
    assert {row["shortfall"] for row in figures["rows"]} == {None}, "a bundle of absence knows of no usual"
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["alerts", "policy", "bundle", "recency", "rfm"]
    assert f"{figures['rows'][3]['judgement']['precision']:.3f}" in shown[-1]
