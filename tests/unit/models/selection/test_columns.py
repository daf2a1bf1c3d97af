"""Which features risk listens to, and at which level the served network speaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from models.data.examples import label, labelled_moments
from models.data.histories import Histories, collect
from models.data.moments import cut_moments
from models.fit.level import levels_of
from models.loop.epochs import Run
from models.loop.progress import Interruption
from models.recipe import Schedule
from models.selection.columns import choose_columns
from models.selection.drift import steady_features
from models.selection.validation import questions
from models.selection.variants import train_variant
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.model.features import FEATURES
from tests.tiny_training import DAYS, RECIPE, START_MS, TASK, shop

PATIENT = dataclasses.replace(TASK, recipe=dataclasses.replace(RECIPE, head=Schedule(12, 1e-2)))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def one_season(users: int = 500) -> Iterator[Event]:
    """Everybody comes in the first days and leaves soon after the twentieth purchase."""
    random = np.random.default_rng(0)
    for user in range(users):
        day, gap, count = float(random.uniform(0, 5)), float(random.uniform(1, 8)), 0
        while day < DAYS and (count < 20 or random.random() < 0.8):
            count += 1
            when = START_MS + round(day * DAY_MS)
            yield Event(f"{user}-{when}", f"u{user}", "purchase", when, value=1.0)
            day += gap * float(random.uniform(0.7, 1.3))


def chosen(histories: Histories, run: Run) -> list[str]:
    examples = labelled_moments(histories, PATIENT, PATIENT.until_ms)
    columns = choose_columns(histories, examples, questions(histories, PATIENT), PATIENT, run)
    return [FEATURES[column] for column in columns]


def test_drifting_features_are_heard_where_they_tell_more_later() -> None:
    histories = collect(one_season())
    steady = steady_features(labelled_moments(histories, PATIENT, PATIENT.until_ms))
    assert FEATURES.index("purchases") not in steady
    assert chosen(histories, Run()) == [name for name in FEATURES if name != "tenure"]
    interrupted = Interruption()
    interrupted.requested = True
    assert chosen(histories, Run(interruption=interrupted)) == [FEATURES[column] for column in steady]


def test_drifting_features_are_left_out_where_they_add_nothing() -> None:
    histories = shop()
    steady = steady_features(labelled_moments(histories, PATIENT, PATIENT.until_ms))
    assert chosen(histories, Run()) == [FEATURES[column] for column in steady]


def test_the_mean_risk_is_that_of_the_newest_known_outcomes() -> None:
    histories = shop()
    trained = train_variant(histories, TASK, "aggregates")
    cut = np.array([TASK.until_ms - TASK.horizon_ms])
    asked = label(
        histories, cut_moments(histories, cut, TASK.active_ms), TASK.horizon_ms, "any", TASK.until_ms
    )
    risks = trained.risks(histories, asked.moments.event, asked.features)
    # A few dozen users: the prior holds the mean back a little.
    assert risks.mean() == pytest.approx(asked.churned.mean(), abs=0.03)
    assert trained.platt == levels_of(trained.network, histories, TASK, None).absence
    nobody = dataclasses.replace(TASK, active_ms=1)
    assert levels_of(trained.network, histories, nobody, None).absence.intercept == 0.0
