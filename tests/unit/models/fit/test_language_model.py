"""The next-action language model is as surprised as it should be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from models.data.examples import labelled_moments
from models.data.histories import Histories, collect
from models.fit.fitting import Fit
from models.fit.language_model import Surprise
from models.fit.material import drawn_users, material
from models.loop.epochs import Run
from models.recipe import Schedule
from models.selection.drift import steady_features
from schemas.event import Event, Item
from schemas.units import DAY_MS
from tests.tiny_training import DAYS, RECIPE, START_MS, TASK

TYPES = ("view", "add_to_cart", "purchase")


def surprised(histories: Histories) -> Surprise | None:
    torch.set_num_threads(1)
    recipe = dataclasses.replace(RECIPE, language=Schedule(8, 2e-2))
    task = dataclasses.replace(TASK, recipe=recipe)
    examples = labelled_moments(histories, task, task.until_ms)
    data = material(histories, examples, steady_features(examples), task, drawn_users(histories, task))
    fit = Fit("fit", data, task, Run())
    fit.learn_language()
    return fit.surprise()


def walks(users: int, *, in_turn: bool) -> Histories:
    """Events of three types and three categories, one after the other or drawn at random."""
    random = np.random.default_rng(0)
    events: list[Event] = []
    for user in range(users):
        for number in range(40):
            kind = TYPES[number % 3 if in_turn else random.integers(3)]
            item = Item(category=f"c{random.integers(3)}")
            when = START_MS + round((number / 40 + random.uniform(0, 0.01)) * DAYS * DAY_MS)
            events.append(Event(f"{user}-{number}", f"u{user}", kind, when, items=(item,)))
    return collect(events)


def test_what_follows_by_a_rule_is_foretold_and_what_is_random_is_not() -> None:
    by_rule, random = surprised(walks(120, in_turn=True)), surprised(walks(120, in_turn=False))
    assert by_rule is not None
    assert random is not None
    assert by_rule.metrics["next_type_perplexity"] < 1.3
    assert random.metrics["next_type_perplexity"] == pytest.approx(3, abs=0.3)
    # Three categories in five buckets, which may coincide.
    assert 1.5 < random.metrics["next_category_perplexity"] < 3.5


def test_one_type_only_is_no_surprise_and_nobody_held_out_is_no_answer() -> None:
    events = [
        Event(f"{user}-{day}", f"u{user}", "purchase", START_MS + (day * 3 + user % 3) * DAY_MS)
        for user in range(100)
        for day in range(39)
    ]
    found = surprised(collect(events))
    assert found is not None
    assert found.metrics["next_type_perplexity"] == pytest.approx(1, abs=0.05)
    assert surprised(collect(events[: 39 * 5])) is None
