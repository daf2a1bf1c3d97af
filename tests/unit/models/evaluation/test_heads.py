"""What heads foretell, against what the users then did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from models.data.histories import collect
from models.evaluation.cut import Cut, cuts_at
from models.evaluation.heads import Foretell, Foretold, head_figures, no_heads, spent
from models.recipe import Task
from schemas.event import EVENT_TYPES, Event
from schemas.units import DAY_MS
from streamer.core.model.risk_model import Encoding

START = 1_483_228_800_000
TEN_DAYS = 10 * DAY_MS


@pytest.fixture(scope="module")
def cut() -> Cut:
    """At day 50. What users do then: a spends 30, b 20 less 5, c looks, d nothing more, e comes too late."""
    acts: dict[str, list[tuple[float, str, float | None]]] = {
        "a": [(45, "purchase", 9), (50, "purchase", 10), (59.999, "purchase", 20), (60, "purchase", 99)],
        "b": [(45, "view", None), (52, "purchase", 20), (53, "refund", 5)],
        "c": [(45, "view", None), (51, "view", None), (52, "purchase", None)],
        "d": [(45, "purchase", 9)],
        "e": [(45, "purchase", 9), (60, "view", None)],
    }
    events = [
        Event(f"{user}{day}", user, kind, START + round(day * DAY_MS), value=value)
        for user, each in acts.items()
        for day, kind, value in each
    ]
    return cuts_at(collect(events), [START + 50 * DAY_MS], Task(START + 50 * DAY_MS, TEN_DAYS))[0]


def saying(spend: Sequence[float] | None, chances: dict[str, float] | None) -> Foretell:
    def foretell(encodings: Sequence[Encoding], features: npt.NDArray[np.float32]) -> Foretold:
        assert len(encodings) == len(features) == 5
        row = None if chances is None else [chances.get(name, 0.0) for name in EVENT_TYPES]
        return Foretold(
            None if spend is None else np.array(spend, np.float32),
            None if row is None else np.tile(np.array(row, np.float32), (5, 1)),
        )

    return foretell


def test_spend_is_that_of_the_horizon_less_refunds(cut: Cut) -> None:
    assert spent(cut, TEN_DAYS).tolist() == [30.0, 15.0, 0.0, 0.0, 0.0]


def test_ranks_of_spend_are_compared(cut: Cut) -> None:
    rising = head_figures(saying([9, 5, 1, 1, 1], None), 8, TEN_DAYS)(cut)
    assert rising == {"spend_spearman": pytest.approx(1.0)}
    assert head_figures(saying([1, 5, 9, 9, 9], None), 8, TEN_DAYS)(cut) == {
        "spend_spearman": pytest.approx(-1.0)
    }
    assert head_figures(saying([1] * 5, None), 8, TEN_DAYS)(cut) == {}


def test_perplexity_is_of_the_next_event_of_those_who_have_one(cut: Cut) -> None:
    """Next come two purchases and two views; d has no next event."""
    even = head_figures(saying(None, {"purchase": 0.5, "view": 0.5}), 8, TEN_DAYS)(cut)
    assert even == {"next_action_perplexity": pytest.approx(2.0)}
    sure = head_figures(saying(None, {"purchase": 0.8, "view": 0.2}), 8, TEN_DAYS)(cut)
    assert sure["next_action_perplexity"] == pytest.approx((0.8 * 0.2) ** -0.5)
    never = head_figures(saying(None, {"purchase": 1.0}), 8, TEN_DAYS)(cut)
    assert np.isfinite(never["next_action_perplexity"])


def test_a_bundle_without_heads_has_no_figures(cut: Cut) -> None:
    assert no_heads(cut) == {}
    assert head_figures(saying(None, None), 8, TEN_DAYS)(cut) == {}
