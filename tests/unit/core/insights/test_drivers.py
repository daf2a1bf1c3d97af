"""What drivers and the expected next purchase say of users whose histories are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.alerts.decisions import Decision
from streamer.core.alerts.policy import Policy
from streamer.core.history.aggregates import AGGREGATES, advance, empty
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array, tokenise
from streamer.core.insights.drivers import COALITIONS, GROUPS, importances, log_odds
from streamer.core.insights.rhythm import Figure, Rhythm, expected_next_purchase_ms
from streamer.core.model.features import features_at
from streamer.core.model.reference import as_ages, from_ages
from streamer.inference.risk_model import OnnxRiskModel
from streamer.testing import PartitionDriver, partition_events
from streamer.testing.fixed_model import FixedModel
from tests.bundles import demo_bundle

START_MS = 1_483_228_800_000
POLICY = Policy(edges=(0.4, 0.6, 0.8), horizon_ms=28 * DAY_MS)


def event(day: float, event_type: str = "purchase", value: float | None = 20.0) -> Event:
    return Event(f"{event_type}-{day}", "u", event_type, START_MS + int(day * DAY_MS), value=value)


def aggregates(*events: Event) -> np.ndarray:
    rows = empty(1)
    for one in events:
        rows = advance(rows, as_array(tokenise(one)), UTC)
    return rows


def rhythm(now_day: float, *events: Event) -> Rhythm:
    return Rhythm(aggregates(*events).tobytes(), START_MS + now_day * DAY_MS)


def sent(*events: Event, until_day: float, model: FixedModel | None = None) -> list[Decision]:
    run = PartitionDriver.of(POLICY, model or FixedModel())
    run.process(partition_events(events))
    run.process([], START_MS + int(until_day * DAY_MS))
    return [decision for decision in run.decisions if decision.action == "sent"]


def test_every_aggregate_belongs_to_one_group() -> None:
    assert sorted(column for group in GROUPS for column in group) == sorted(AGGREGATES)


def test_importances_are_the_mean_contributions_over_all_orders() -> None:
    """Two groups that only count together share what they bring; the others get nothing."""
    probabilities = [0.9 if coalition & 0b101 == 0b101 else 0.1 for coalition in range(COALITIONS)]
    half = (log_odds(0.9) - log_odds(0.1)) / 2
    assert importances(probabilities) == pytest.approx([half, 0.0, half, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certainty_has_finite_log_odds(certain: float) -> None:
    assert abs(log_odds(certain)) == pytest.approx(math.log(999_999))


def test_ages_give_the_moments_back() -> None:
    rows = aggregates(event(0, "view"), event(3), event(10), event(11, "view"))
    shifted = from_ages(as_ages(rows)) - from_ages(as_ages(rows))[:, 1:2]
    expected = rows.copy()
    expected[:, :4] -= rows[:, 1:2]
    assert (shifted[:, :4] == expected[:, :4]).all()
    assert np.isnan(from_ages(as_ages(aggregates(event(0, "view"))))[0, 2:4]).all()


def test_last_purchase_41_days_ago_usually_every_9() -> None:
    events = [event(day) for day in (0, 9, 18, 27)]
    assert rhythm(68, *events).purchase_silence == Figure(41.0, 9.0)


def test_two_purchases_on_one_day_are_one_purchase_day() -> None:
    events = [event(0), event(0.1), event(8)]
    assert rhythm(10, *events).purchase_silence == Figure(2.0, None)
    assert expected_next_purchase_ms(aggregates(*events).tobytes()) is None


def test_who_never_bought_has_no_days_since_the_last_purchase() -> None:
    events = [event(day, "view") for day in (0, 2, 4)]
    assert rhythm(10, *events).purchase_silence == Figure(None, None)
    assert rhythm(10, *events).event_silence == Figure(6.0, 2.0)


def test_monthly_rates_need_four_weeks() -> None:
    events = [event(day) for day in range(0, 27, 2)]
    assert rhythm(27, *events).visits == Figure(None, None)
    assert rhythm(28, *events).visits.usual == pytest.approx(15.0)


def test_steady_customers_are_lately_as_usual_and_quiet_ones_below() -> None:
    events = [event(day, value=30.0) for day in range(0, 200, 5)]
    steady = rhythm(197.5, *events)
    assert steady.visits.usual == pytest.approx(6.0, rel=0.05)
    assert steady.visits.value == pytest.approx(6.0, rel=0.05)
    assert steady.spending.value == pytest.approx(180.0, rel=0.05)
    quiet = rhythm(195 + 28, *events)
    assert quiet.visits.value == pytest.approx(6.8 / 4, rel=0.05)


def test_the_next_purchase_is_due_a_usual_gap_after_the_last() -> None:
    events = [event(day) for day in (0, 9, 18)]
    assert expected_next_purchase_ms(aggregates(*events).tobytes()) == START_MS + 27 * DAY_MS


def test_open_alerts_come_with_drivers_and_resolves_do_not() -> None:
    events = [event(day) for day in (0, 4, 8)]
    decisions = sent(*events, event(24), until_day=24.1)
    assert decisions[0].transition == "raised"
    for decision in decisions[:-1]:
        assert len(decision.drivers) == 5
        assert {driver.code for driver in decision.drivers[:1]} == {"days_since_last_purchase"}
        assert decision.next_purchase_ms == START_MS + 12 * DAY_MS
    resolved = decisions[-1]
    assert (resolved.transition, resolved.reason, resolved.drivers) == ("resolved", "purchase", ())
    assert resolved.next_purchase_ms == START_MS + 32 * DAY_MS


def test_drivers_know_the_days_at_the_moment_of_the_alert() -> None:
    (raised, *_) = sent(event(0), event(4), event(8), until_day=20)
    by_code = {driver.code: driver for driver in raised.drivers}
    silence_days = (raised.decided_ms - raised.last_ms) / DAY_MS
    assert by_code["days_since_last_purchase"].value == pytest.approx(silence_days)
    assert by_code["days_since_last_purchase"].usual == 4.0
    assert by_code["days_since_first_event"].value == pytest.approx(silence_days + 8)
    assert (by_code["recent_actions"].value, by_code["recent_actions"].usual) == (None, None)


def test_without_a_reference_point_alerts_have_no_drivers() -> None:
    class Unreferenced(FixedModel):
        reference = None

    (raised, *_) = sent(event(0), event(4), event(8), until_day=20, model=Unreferenced())
    assert raised.drivers == ()


def test_the_demo_bundles_reference_has_the_risk_that_its_manifest_says() -> None:
    bundle = demo_bundle()
    reference = OnnxRiskModel(bundle, arena_users=1).reference
    assert reference is not None
    stated = bundle.manifest.reference
    assert stated is not None
    features = features_at(from_ages(reference.ages[np.newaxis]), np.array([reference.silence_ms]))
    answers = OnnxRiskModel(bundle, arena_users=1).query(reference.hidden[np.newaxis], features)
    assert answers.decline is not None
    (risk,) = answers.decline
    assert log_odds(risk) == pytest.approx(log_odds(stated.probability), abs=1e-4)
