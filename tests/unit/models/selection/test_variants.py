"""Which variant is chosen and why, and a data set in which hardly anybody churns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.data.examples import label
from models.data.histories import collect
from models.data.moments import cut_moments
from models.folds import cross_validate
from models.loop.epochs import Run
from models.network.step import Step
from models.network.transformer import Transformer
from models.recipe import PROFILES, Size, Variant
from models.selection.ablation import Comparison, compare
from models.selection.validation import questions, validate
from models.selection.variants import train_variant
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.model import risk_metrics as metrics
from streamer.core.model.features import FEATURES
from streamer.core.model.transformer_inputs import NUMBERS
from tests.tiny_training import DAYS, START_MS, TASK, shop


def compared(**risks: list[float]) -> Variant:
    """The variant chosen where 200 users are asked twice each, and every other one churns."""
    users = np.repeat(np.arange(200), 2)
    given = {name: [np.tile(one, 100)] for name, one in risks.items()}
    return compare(given, (users % 2).astype(np.float32), users).chosen  # type: ignore[arg-type]


def test_a_better_variant_is_chosen_and_a_tie_goes_to_the_simpler() -> None:
    poor, good = [0.4, 0.4, 0.6, 0.6], [0.1, 0.1, 0.9, 0.9]
    assert compared(aggregates=poor, sequence=poor, both=good) == "both"
    assert compared(aggregates=poor, sequence=good, both=good) == "sequence"
    assert compared(aggregates=good, sequence=poor, both=good) == "aggregates"
    worse = [0.41, 0.41, 0.59, 0.59]
    assert compared(aggregates=poor, sequence=worse, both=[0.3, 0.3, 0.7, 0.7]) == "both"


def test_a_gain_within_two_standard_errors_is_none() -> None:
    users = np.repeat(np.arange(100), 10)
    churned = np.zeros(1000, np.float32)
    base = np.full(1000, 0.2)

    def better_for(count: int) -> Comparison:
        other = np.where(users < count, 0.1, base)
        return compare({"aggregates": [base], "both": [other]}, churned, users)

    # The ten questions about one user are one observation, whose error is about its gain.
    one = better_for(1).figures[0]
    assert one.behind_error == pytest.approx(one.behind, rel=0.02) != 0
    assert better_for(1).chosen == better_for(3).chosen == "aggregates"
    assert better_for(6).chosen == "both"


def test_figures_are_means_over_seeds_with_their_spread() -> None:
    churned = np.array([0, 1, 0, 1], np.float32)
    first, second = np.array([0.1, 0.9, 0.2, 0.8]), np.array([0.9, 0.1, 0.8, 0.2])
    made = compare({"aggregates": [first, second]}, churned, np.arange(4)).figures[0]
    assert (made.seeds, made.auroc) == (2, 0.5)
    assert made.spread["auroc"] == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("variant", ["aggregates", "sequence", "both"])
def test_each_variant_alone_answers_at_every_silence(variant: Variant) -> None:
    histories = shop()
    early = dataclasses.replace(TASK, until_ms=TASK.until_ms - 20 * DAY_MS)
    trained = train_variant(histories, early, variant)
    assert trained.network.head.uses_hidden == (variant != "aggregates")
    cuts = np.array([early.until_ms])
    asked = label(histories, cut_moments(histories, cuts, 60 * DAY_MS), TASK.horizon_ms, "any", TASK.until_ms)
    risks = trained.risks(histories, asked.moments.event, asked.features)
    assert metrics.auroc(asked.churned, risks) > 0.7
    other = asked.features.copy()
    other[:, [FEATURES.index("gap_mean"), FEATURES.index("visits_14d")]] += 1.0
    moved = np.abs(trained.risks(histories, asked.moments.event, other) - risks).max()
    assert (moved > 1e-3) == (variant != "sequence")


def test_one_churner_in_a_hundred_is_given_a_risk_of_about_that() -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    events: list[Event] = []
    for user in range(800):
        day, leaves = float(random.uniform(0, 2)), float(random.exponential(400))
        while day < min(DAYS, leaves):
            when = START_MS + round(day * DAY_MS)
            events.append(Event(f"{user}-{when}", f"u{user}", "purchase", when, value=10.0))
            day += float(random.uniform(1, 3))
    task = dataclasses.replace(TASK, churn_types="purchase", active_ms=4 * DAY_MS)
    histories = collect(events)
    asked = questions(histories, task)
    validated = validate(histories, np.arange(len(FEATURES)), asked, task, Run(), ["aggregates"])
    base = validated.metrics["validation_base_rate"]
    assert 0.004 < base < 0.016
    assert validated.metrics["validation_ece"] < 0.3 * base
    always_the_base = -(base * np.log(base) + (1 - base) * np.log1p(-base))
    assert validated.metrics["validation_log_loss"] < always_the_base


def test_folds_share_the_users_and_judge_each_question_once() -> None:
    histories = shop()
    columns = np.arange(len(FEATURES))
    validated = validate(histories, columns, questions(histories, TASK), TASK, Run(), ["aggregates"])
    folds = cross_validate(histories, columns, TASK, validated, 3, Run())
    assert sum(fold.questions for fold in folds) == validated.metrics["validation_n"]
    assert len({fold.figures["log_loss"] for fold in folds}) == 3


@pytest.mark.parametrize("size", PROFILES.values(), ids=PROFILES)
def test_a_step_costs_little(size: Size) -> None:
    step = Step(Transformer(size)).eval()
    arenas = [torch.zeros(4 * 2 * size.window, size.width) for _ in range(size.layers)]
    zeros = torch.zeros(4, dtype=torch.int64)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        step(torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, len(NUMBERS)), zeros, zeros, *arenas)
    assert 0 < counter.get_total_flops() / 4 <= 300_000
