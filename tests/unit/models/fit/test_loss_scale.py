"""What expected losses are multiplied with, and the shortfalls that say so."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from models.data.examples import Decline
from models.data.histories import Histories, collect
from models.fit.answers import Ask
from models.fit.loss_scale import HIGHEST, LOWEST, loss_scale
from models.fit.shortfalls import LEAST_OVERDUE, loss_cuts, shortfalls_at
from models.recipe import Task
from schemas.event import Event, EventType
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms
from streamer.policy.file import LEAST_OVERDUE as OF_THE_POLICY

START = 1_483_228_800_000
UNTIL_DAY = 200
WINDOW_DAYS = 56
TASK = Task(START + UNTIL_DAY * DAY_MS, definition="decline", window_ms=WINDOW_DAYS * DAY_MS)
DECLINE = Decline(ShopMean(0.1, 0.0, 1.0, 0.0), TASK.window_ms)
TERMS = DeclineTerms(TASK.window_ms, DECLINE.shop, "purchase")


def certain(decline: float = 0.5, spend: float = 0.0) -> Ask:
    """Says the same of everybody."""

    def ask(
        histories: Histories, events: npt.NDArray[np.int64], features: npt.NDArray[np.float32]
    ) -> Answers:
        assert len(events) == len(features) <= 20 * len(histories.tokens)
        ones = np.ones(len(events))
        return Answers(0.25 * ones, decline * ones, spend * ones)

    return ask


def customer(
    user: str, days: npt.NDArray[np.float64], value: float | None, kind: EventType = "purchase"
) -> list[Event]:
    return [
        Event(f"{user}-{day}-{kind}", user, kind, START + round(day * DAY_MS), value=value)
        for day in days.tolist()
    ]


def steady(users: int = 30, value: float | None = 10.0, until: float = UNTIL_DAY) -> list[Event]:
    """Customers who come every four days, and are on time whenever they are asked about."""
    return [
        event
        for user in range(users)
        for event in customer(f"s{user}", np.arange(user % 4 + 0.5, until, 4.0), value)
    ]


def shop(value: float | None = 10.0) -> Histories:
    """Some of the customers leave, each on a day of the last three months."""
    left = [
        event
        for user in range(10)
        for event in customer(f"l{user}", np.arange(user % 4 + 0.5, 100 + 7 * user, 4.0), value)
    ]
    return collect([*steady(value=value), *left])


def test_overdue_is_what_the_policy_asks_for() -> None:
    assert LEAST_OVERDUE == OF_THE_POLICY


def test_cuts_are_an_eighth_apart_and_know_half_a_window() -> None:
    first = TASK.until_ms - TASK.window_ms
    days = (loss_cuts(TASK, first) - TASK.until_ms) / DAY_MS
    assert days.tolist() == [-56, -49, -42, -35, -28]
    assert len(loss_cuts(TASK, first - TASK.window_ms)) == 13
    odd = dataclasses.replace(TASK, window_ms=10 * DAY_MS + 7)
    cuts = loss_cuts(odd, odd.until_ms - odd.window_ms)
    assert len(cuts) == 5
    assert cuts[0] >= odd.until_ms - odd.window_ms


def test_shortfalls_are_against_the_level_of_the_shop() -> None:
    asked = shortfalls_at(certain(), shop(), TASK, DECLINE, TASK.until_ms - TASK.window_ms)
    assert asked.known_share.min() == 0.5
    assert asked.known_share.max() == 1.0
    for cut in range(5):
        # What some spend less than at the shop's level others spend more.
        at_cut = asked.cut == cut
        assert asked.shortfall[at_cut].sum() == pytest.approx(0.0, abs=1e-6 * at_cut.sum())
    assert asked.shortfall[asked.overdue].mean() > 0.0


def test_who_has_no_usual_or_unknown_amounts_is_not_asked_about() -> None:
    newcomers = collect(customer("new", np.array([150.0, 160.0, 170.0]), 10.0))
    assert not len(shortfalls_at(certain(), newcomers, TASK, DECLINE, TASK.until_ms - TASK.window_ms).cut)
    unknown = shop(value=None)
    asked = shortfalls_at(certain(), unknown, TASK, DECLINE, TASK.until_ms - TASK.window_ms)
    # Of those who never came again it is known that they spent nothing.
    assert not (asked.usual_spend > 0.0).any()
    assert loss_scale(certain(), unknown, TASK, DECLINE, "decline") == 1.0


def test_the_scale_makes_up_for_a_probability_that_is_too_high() -> None:
    """Whoever is overdue here is gone for good."""
    right = loss_scale(certain(0.5), shop(), TASK, DECLINE, "decline")
    assert 1.0 < right < HIGHEST
    assert loss_scale(certain(1.0), shop(), TASK, DECLINE, "decline") == pytest.approx(right / 2, abs=1e-3)
    assert loss_scale(certain(0.0), shop(), TASK, DECLINE, "decline") == 1.0
    # All the usual spend is missed, but for the shop's level.
    assert 0.5 < loss_scale(certain(spend=0.0), shop(), TASK, DECLINE, "spend") < 1.0


def test_the_scale_is_kept_within_bounds() -> None:
    assert loss_scale(certain(0.001), shop(), TASK, DECLINE, "decline") == HIGHEST
    # Who was overdue spends as ever afterwards, where all others spend less.
    late = [
        event
        for user in range(20)
        for event in customer(
            f"u{user}",
            np.concatenate([np.arange(0.5, 84 + 4 * user, 4.0), np.arange(94.5 + 4 * user, UNTIL_DAY, 4.0)]),
            10.0,
        )
    ]
    early = [event for event in steady(value=10.0) if event.timestamp < START + 100 * DAY_MS]
    then = [event for event in steady(value=1.0) if event.timestamp >= START + 100 * DAY_MS]
    assert loss_scale(certain(), collect([*late, *early, *then]), TASK, DECLINE, "decline") == LOWEST
    assert loss_scale(certain(), collect(steady()), TASK, DECLINE, "decline") == 1.0


def test_returns_above_purchases_are_no_usual_spend() -> None:
    events = customer("returns", np.arange(0.0, 140.0, 4.0), 10.0)
    events += customer("returns", np.arange(1.0, 140.0, 4.0), 30.0, "refund")
    asked = shortfalls_at(
        certain(), collect([*events, *steady()]), TASK, DECLINE, TASK.until_ms - TASK.window_ms
    )
    assert (asked.usual_spend >= 0.0).all()
    assert (asked.usual_spend == 0.0).any()
    assert (asked.expected(TERMS, "decline")[asked.usual_spend == 0.0] == 0.0).all()
    assert np.isfinite(asked.shortfall).all()
