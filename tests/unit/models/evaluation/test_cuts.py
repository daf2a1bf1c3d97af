"""Cuts: who is at risk, what counts as churn, what is refused, and that nothing knows the future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from models.data.histories import Histories, collect, next_churn_event
from models.evaluation.candidates import Candidate, of_model
from models.evaluation.cut import Cut, cuts_at
from models.evaluation.heads import no_heads
from models.evaluation.leaks import leaks, without_future
from models.evaluation.run import Asked, evaluate
from models.recipe import Task
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.units import DAY_MS
from streamer.core.history.token import TOKEN_BYTES
from streamer.core.insights.activity import segments_of
from streamer.core.model.risk_model import Encoding
from streamer.testing.fixed_model import FixedModel

START: Final = 1_483_228_800_000


def at(day: float) -> int:
    return START + round(day * DAY_MS)


def histories_of(**days: list[float]) -> Histories:
    """A user's purchases by days; a negative one is a click on that day."""
    events = [
        Event(f"{user}-{day}", user, "purchase" if day >= 0 else "click", at(abs(day)), value=10.0)
        for user, each in days.items()
        for day in each
    ]
    return collect(events)


TASK: Final = Task(at(50), horizon_ms=10 * DAY_MS, active_ms=20 * DAY_MS)
SHOP: Final = histories_of(
    a=[5, 49, 55],  # buys within the horizon
    b=[45, 60],  # at its very end: too late
    c=[45, 59.999],
    d=[29],  # long silent: not at risk
    e=[30, -52],  # at risk by a millisecond, and comes back only to look
    f=[50],  # begins with the cut
    g=[10, 20, 30, 40, 70],
    h=[80],
)


def judged(cut: Cut) -> dict[int, float]:
    return dict(zip(cut.user.tolist(), cut.churned.tolist(), strict=True))


def test_who_is_at_risk_and_who_churned() -> None:
    (cut,) = cuts_at(SHOP, [at(50)], TASK)
    assert judged(cut) == {0: 0, 1: 1, 2: 0, 4: 1, 6: 1}
    any_event = Task(at(50), TASK.horizon_ms, TASK.active_ms, "any")
    assert judged(cuts_at(SHOP, [at(50)], any_event)[0]) == {0: 0, 1: 1, 2: 0, 4: 0, 6: 1}


def test_cuts_come_in_order_of_time_and_are_each_their_own() -> None:
    both = cuts_at(SHOP, [at(52.5), at(50)], TASK)
    assert [cut.at_ms for cut in both] == [at(50), at(52.5)]
    for cut in both:
        (alone,) = cuts_at(SHOP, [cut.at_ms], TASK)
        np.testing.assert_array_equal(cut.features, alone.features)
        np.testing.assert_array_equal(cut.event, alone.event)
        np.testing.assert_array_equal(cut.churned, alone.churned)


@pytest.mark.parametrize(
    ("days", "task", "message"),
    [
        ([50, 53, 50], TASK, "--at names 2017-02-20T00:00:00Z twice"),
        ([5], TASK, "--at 2017-01-06T00:00:00Z is outside the files: the events run from 2017-01-06"),
        ([90], TASK, "--at .* is outside the files"),
        (
            [71],
            TASK,
            "10 days of the horizon after it are not in the files: .*--at of 2017-03-12T00:00:00.001Z",
        ),
        ([50], Task(at(50), 100 * DAY_MS), "100 days of the horizon .* give newer events"),
        ([26], Task(at(26), DAY_MS, DAY_MS), "nobody is at risk, .* in the 1 days before it: .*--active"),
        ([41], Task(at(41), DAY_MS, 11 * DAY_MS), "everybody of 2 users churned"),
    ],
)
def test_a_cut_that_cannot_be_judged_is_refused(days: list[int], task: Task, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        cuts_at(SHOP, [at(day) for day in days], task)


def test_segments_know_only_what_came_before() -> None:
    (cut,) = cuts_at(SHOP, [at(50)], TASK)
    segments = {
        name: set(cut.user[chosen].tolist()) for name, chosen in segments_of(cut.features, "purchase").items()
    }
    assert segments == {"new": {0, 1, 2, 4}, "regular": {6}, "lapsing": set()}
    (later,) = cuts_at(SHOP, [at(60.5)], Task(at(60.5), 10 * DAY_MS, 21 * DAY_MS, "any"))
    by_visit = {
        name: set(later.user[chosen].tolist()) for name, chosen in segments_of(later.features, "any").items()
    }
    assert by_visit == {"new": {1, 2, 4, 5}, "regular": {0}, "lapsing": {6}}


def future_purchase(cut: Cut) -> npt.NDArray[np.float64]:
    """A planted leak: how long it is to the next purchase, wherever the histories tell it."""
    following = next_churn_event(cut.histories, "purchase")[cut.event]
    return np.where(np.isnan(following), 1.0, 0.0)


def users_events(cut: Cut) -> npt.NDArray[np.float64]:
    """Another: how many events the user has in the whole file."""
    return np.diff(cut.histories.starts)[cut.user] / 100.0


@pytest.mark.parametrize("leak", [future_purchase, users_events])
def test_a_leak_is_caught(leak: Candidate) -> None:
    (cut,) = cuts_at(SHOP, [at(50)], TASK)
    honest = of_model(FixedModel(), lambda _done: None)
    assert leaks(cut, {"honest": honest, "leak": leak}) == ["leak"]
    with pytest.raises(AssertionError, match="known before 2017-02-20T00:00:00Z though it comes later: leak"):
        evaluate([cut], {"bundle": honest, "leak": leak}, Asked("shop", TASK, 0.5), ["leak"], no_heads)


def test_a_feature_from_the_future_is_caught_by_name() -> None:
    (cut,) = cuts_at(SHOP, [at(50)], TASK)
    (later,) = cuts_at(SHOP, [at(56)], Task(at(56), 5 * DAY_MS, 60 * DAY_MS))
    of_a = cut.features.copy()
    of_a[0] = later.features[0]
    assert "feature purchases" in leaks(cut._replace(features=of_a), {})


def test_the_cut_of_a_file_that_ends_there_is_the_same() -> None:
    random = np.random.default_rng(0)
    shop = histories_of(**{f"u{user}": sorted(random.uniform(0, 80, 20).tolist()) for user in range(30)})
    (cut,) = cuts_at(shop, [at(50)], TASK)
    past = without_future(cut, np.arange(len(cut.event)))
    truncated = shop.before(at(50))
    assert past.histories.fingerprint == truncated.fingerprint
    np.testing.assert_array_equal(past.features, cut.features)
    assert leaks(cut, {"model": of_model(FixedModel(), lambda _done: None)}) == []


def test_a_model_is_asked_with_the_ring_that_a_worker_keeps() -> None:
    """The fixed model's risk shows the ring's length, the position and the time before the ring."""
    random = np.random.default_rng(0)
    lengths = [1, 7, 8, 9, 25]
    shop = histories_of(
        **{f"u{number}": [*sorted(random.uniform(30, 50, number)), 55.0] for number in lengths},
        v=[49.5, 90.0],
    )
    (cut,) = cuts_at(shop, [at(50)], TASK)
    asked: list[tuple[int, int, float]] = []

    class Watched(FixedModel):
        def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
            asked.extend((len(e.ring) // TOKEN_BYTES, e.position, e.time_before_ring) for e in encodings)
            return super().encode(encodings)

    of_model(Watched(), lambda _done: None)(cut)
    counts = cut.event - shop.starts[cut.user] + 1
    assert {1, 7, 8, 9, 25} <= set(counts.tolist())
    assert [ring for ring, _, _ in asked] == np.minimum(counts, FixedModel.ring_tokens).tolist()
    assert [position for _, position, _ in asked] == (counts - 1).tolist()
    before = [
        shop.times[event - FixedModel.ring_tokens] if count > FixedModel.ring_tokens else np.nan
        for event, count in zip(cut.event.tolist(), counts.tolist(), strict=True)
    ]
    np.testing.assert_array_equal([time for *_, time in asked], before)
