"""The baselines learn from the past alone, give probabilities, and agree with themselves."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from models.baselines.fit import Lessons, fit_all, lessons
from models.baselines.risk_model import as_model
from models.data.histories import Histories, collect
from models.recipe import Task
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.model.risk_metrics import auroc
from streamer.testing.fixed_model import FixedModel

START: Final = 1_483_228_800_000
UNTIL: Final = START + 150 * DAY_MS
TASK: Final = Task(UNTIL, horizon_ms=14 * DAY_MS, active_ms=30 * DAY_MS)


def shop(users: int = 120, days: float = 200.0) -> list[Event]:
    """Customers who come every few days, each at a rate of its own, until they stop for good."""
    random = np.random.default_rng(0)
    events: list[Event] = []
    for user in range(users):
        day, gap = float(random.uniform(0, 20)), float(random.uniform(2, 8))
        while day < days:
            moment = START + round(day * DAY_MS)
            events.append(Event(f"{user}-{moment}", f"u{user}", "purchase", moment, value=10.0))
            day += float(random.exponential(gap)) if random.random() > 0.05 else days
    return events


@pytest.fixture(scope="module")
def histories() -> Histories:
    return collect(shop())


def learnt_from(histories: Histories) -> Lessons:
    return lessons(histories, TASK, "--at")


def test_nothing_from_the_end_on_is_learnt(histories: Histories) -> None:
    whole, past = learnt_from(histories), learnt_from(histories.before(UNTIL))
    assert whole.examples.moments.time_ms.max() == UNTIL - TASK.horizon_ms
    assert not np.isnan(whole.examples.churned).any()
    np.testing.assert_array_equal(whole.examples.features, past.examples.features)
    np.testing.assert_array_equal(whole.examples.churned, past.examples.churned)
    np.testing.assert_array_equal(whole.everyone, past.everyone)
    assert len(whole.everyone) == 120


def test_every_baseline_ranks_those_who_left_first_and_is_a_probability(histories: Histories) -> None:
    learnt = learnt_from(histories)
    risks, again = fit_all(learnt, TASK), fit_all(learnt, TASK)
    assert list(risks) == ["recency", "rfm", "lightgbm", "bgnbd"]
    for name, risk in risks.items():
        values = risk(learnt.examples.features)
        assert (values >= 0).all()
        assert (values <= 1).all()
        assert auroc(learnt.examples.churned, values) > 0.7, name
        assert values.mean() == pytest.approx(learnt.examples.churned.mean(), abs=0.02), name
        np.testing.assert_array_equal(values, again[name](learnt.examples.features))
        model = as_model(name, risk, FixedModel())
        np.testing.assert_array_equal(
            values, model.query(np.zeros((0, 1), np.float32), learnt.examples.features).absence
        )


def test_too_little_history_and_one_outcome_are_refused(histories: Histories) -> None:
    with pytest.raises(ConfigurationError, match="two horizons before --at"):
        lessons(histories.before(START + 20 * DAY_MS), Task(START + 20 * DAY_MS, 14 * DAY_MS), "--at")
    daily = [
        Event(f"{user}-{day}", f"u{user}", "purchase", START + day * DAY_MS)
        for user in range(5)
        for day in range(150)
    ]
    with pytest.raises(ConfigurationError, match="all users churned or none did"):
        learnt_from(collect(daily))
