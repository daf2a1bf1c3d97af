"""Risks read off published scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.parts import Absence
from streamer.core.timing.risk_curve import next_crossing
from streamer.demo.judgement.population import Population
from tests.demo_messages import GRID_S, day, score

CURVE = (0.2, 0.4, 0.8)


def silent(days: float) -> float:
    """Risk of a user who was scored 0.1 at an event and has been silent for so many days."""
    population = Population(GRID_S)
    population.take(score("u", day(0), 0.1))
    population.take(score("u", day(0), 0.2, scored_ms=day(1), curve=CURVE))
    return float(population.risks(np.array([float(day(days))]))[0])


@pytest.mark.parametrize(
    ("days", "risk"), [(0, 0.1), (0.5, 0.15), (1, 0.2), (2, 0.3), (4, 0.4), (8, 0.6), (16, 0.8), (99, 0.8)]
)
def test_the_curve_is_read_linear_in_the_logarithm_of_the_silence(days: float, risk: float) -> None:
    assert silent(days) == pytest.approx(risk)


def test_reading_agrees_with_the_crossing_that_the_worker_expects() -> None:
    grid_ms = [step * 1000 for step in GRID_S]
    crossing = next_crossing(grid_ms, CURVE, edge=0.55, after_ms=grid_ms[0], risk_after=CURVE[0])
    assert crossing is not None
    assert silent(crossing / 86_400_000) == pytest.approx(0.55, abs=1e-5)


def test_a_score_without_a_curve_holds() -> None:
    population = Population(GRID_S)
    population.take(score("u", day(0), 0.1, scored_ms=day(1), curve=CURVE))
    population.take(score("u", day(10), 0.05))
    assert population.risks(np.array([float(day(10.5))])).tolist() == [0.05]


def test_an_unseen_risk_at_the_event_leaves_the_curve_alone() -> None:
    population = Population(GRID_S)
    population.take(score("u", day(0), 0.1))
    population.take(score("u", day(3), 0.2, scored_ms=day(4), curve=CURVE))
    assert population.risks(np.array([float(day(3.5))])).tolist() == [0.2]


def test_open_alerts_count_of_active_users_each_at_the_clock_of_its_partition() -> None:
    population = Population(GRID_S, capacity=1)
    population.take(score("calm", day(99), 0.9, partition=1))
    population.take(score("high", day(92), 0.2, scored_ms=day(100), curve=CURVE, band="high"))
    population.take(score("back", day(91), 0.9, band="critical"))
    population.take(score("back", day(99), 0.1))
    population.take(score("slow", day(30), 0.65, partition=2, band="watch"))
    population.take(score("gone", day(1), 0.2, scored_ms=day(2), curve=CURVE, band="critical"))
    counts = population.band_counts(active_days=60)
    # "slow" stands at its event: its partition has come no further.
    assert counts == (2, 1, 1, 0)
    assert population.clock_ms == day(100)


def test_of_a_decline_the_risk_of_absence_beside_it_is_read() -> None:
    population = Population(GRID_S)
    population.take(score("u", day(0), 0.7, absence=Absence(0.1, 28)))
    population.take(score("u", day(0), 0.8, scored_ms=day(1), curve=CURVE, absence=Absence(0.2, 28)))
    assert population.risks(np.array([float(day(0.5))])).tolist() == pytest.approx([0.15])


def test_an_erased_user_is_not_counted() -> None:
    population = Population(GRID_S)
    population.take(score("u", day(0), 0.9, alert_id="a"))
    population.forget("u")
    population.forget("stranger")
    assert sum(population.band_counts(60)) == 0


def test_a_snapshot_holds_everybody_at_one_moment() -> None:
    population = Population(GRID_S)
    population.take(score("a", day(0), 0.2, scored_ms=day(2), curve=CURVE, alert_id="x"))
    population.take(score("b", day(7), 0.1, partition=1))
    seen = population.snapshot(day(8))
    assert seen.user_ids == ["a", "b"]
    assert seen.risk.tolist() == pytest.approx([0.6, 0.1])
    assert not any(math.isnan(risk) for risk in seen.risk)
