"""The sequence earns its place where it knows what the features cannot."""

from __future__ import annotations

import numpy as np
import torch

from models.data.examples import Examples, label, labelled_moments
from models.data.histories import Histories, collect
from models.data.moments import cut_moments
from models.fit.fitting import Fit
from models.fit.material import material
from models.fit.training import logits_of
from models.loop.epochs import Run
from models.recipe import VARIANTS, Recipe, Schedule, Size, Task
from schemas.event import Event, Item
from schemas.units import DAY_MS
from streamer.core.model.features import FEATURES
from streamer.core.model.risk_metrics import auroc

START = 1_483_228_800_000
DAYS = 180
FAREWELL = "moving boxes"


def shop(users: int) -> Histories:
    """Everybody buys every few days, until a purchase of another category is the last."""
    random = np.random.default_rng(0)
    events: list[Event] = []
    for user in range(users):
        day, last = float(random.uniform(0, 20)), False
        while day < DAYS and not last:
            last = bool(random.random() < 0.04)
            item = Item(category=FAREWELL if last else "food", price=10.0)
            when = START + round(day * DAY_MS)
            events.append(Event(f"{user}-{day}", f"u{user}", "purchase", when, items=(item,)))
            day += float(random.uniform(2, 8))
    return collect(events)


def test_a_sign_that_only_tokens_carry_raises_the_auroc() -> None:
    torch.set_num_threads(1)
    histories = shop(250)
    until = START + DAYS * DAY_MS
    task = Task(
        until_ms=until,
        horizon_ms=14 * DAY_MS,
        size=Size(width=16, heads=2, window=8, category_buckets=16, item_buckets=4),
        recipe=Recipe(
            head=Schedule(4, 2e-3),
            language=Schedule(4, 3e-3),
            sequence=Schedule(12, 3e-3),
            both=Schedule(12, 3e-3),
            least_held_out=1000,
            batch_events=512,
        ),
    )
    examples = labelled_moments(histories, task, until)
    columns, nobody = np.arange(len(FEATURES)), np.zeros(histories.users, bool)
    fit = Fit("fit", material(histories, examples, columns, task, nobody), task, Run())
    asked = _soon_after_an_event(histories, task)
    found = {
        variant: auroc(
            asked.churned,
            logits_of(fit.network(variant), histories, asked.moments.event, asked.features),
        )
        for variant in VARIANTS
    }
    assert found["aggregates"] < 0.75
    assert found["sequence"] > found["aggregates"] + 0.1
    assert found["both"] > found["aggregates"] + 0.1


def _soon_after_an_event(histories: Histories, task: Task) -> Examples:
    """Questions at a silence of at most two days, which says nothing yet."""
    cuts = np.arange(START + 40 * DAY_MS, task.until_ms - task.horizon_ms, DAY_MS)
    moments = cut_moments(histories, cuts, 2 * DAY_MS)
    return label(histories, moments, task.horizon_ms, "purchase", task.until_ms)
