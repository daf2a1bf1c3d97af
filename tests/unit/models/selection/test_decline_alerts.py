"""How many customers a week would be raised for the first time, and where bands of losses begin then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.data.histories import Histories, collect
from models.fit.answers import Ask
from models.recipe import Task
from models.selection.alert_rate import Peaks
from models.selection.bands import loss_bands_of
from models.selection.decline_alerts import DeclinePeaks, decline_peaks
from schemas.bundle.manifest import ChurnTypes
from schemas.event import Event, EventType
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.core.model.features import FEATURES

START = 1_483_228_800_000
GRID = np.array([1, 2, 4, 8, 16, 32]) * DAY_MS
SILENCE = FEATURES.index("silence")
WINDOW_DAYS = 20
UNTIL_DAY = 100
FROM_DAY = UNTIL_DAY - 2 * WINDOW_DAYS
GAP_DAYS = 3.0


def event(user: str, day: float, kind: EventType = "purchase", value: float | None = 10.0) -> Event:
    return Event(f"{user}-{day}-{kind}", user, kind, START + round(day * DAY_MS), value=value)


def visits(user: str, until: float, start: float = 0.0, value: float | None = 10.0) -> list[Event]:
    """A purchase every three days."""
    return [event(user, day, value=value) for day in np.arange(start, until, GAP_DAYS).tolist()]


def by_silence(
    histories: Histories, events: npt.NDArray[np.int64], features: npt.NDArray[np.float32]
) -> Answers:
    """A probability that tells the silence: .01 a day."""
    assert len(events) == len(features) <= 100 * len(histories.tokens)
    days = np.expm1(features[:, SILENCE].astype(np.float64))
    return Answers(0.0 * days, 0.01 * days, 0.0 * days)


def peaks(
    *events: Event, types: ChurnTypes = "purchase", loss: bool = True, ask: Ask = by_silence
) -> DeclinePeaks:
    """Of the last two windows; nothing of the shop's mean is joined to a customer's own history."""
    task = Task(START + UNTIL_DAY * DAY_MS, churn_types=types, window_ms=WINDOW_DAYS * DAY_MS)
    shop = ShopMean(0.1, 0.0, 1.0, 0.0)
    terms = DeclineTerms(task.window_ms, shop, types, LossTerms("decline") if loss else None)
    return decline_peaks(ask, terms, collect(events), task, GRID)


def days(reached: npt.NDArray[np.float64]) -> list[float]:
    """The longest silences at which was asked, of customers who were asked about."""
    return np.round(100 * reached[reached > 0], 1).tolist()


def test_nobody_who_is_on_time_counts() -> None:
    twice_a_day = [event("a", day) for day in np.arange(0.0, UNTIL_DAY, 0.5).tolist()]
    assert days(peaks(*twice_a_day).probability.reached) == []


def test_a_customer_counts_from_where_being_overdue_begins() -> None:
    """That lies between the steps of the grid: a signal that falls is at its highest there."""

    def falling(
        histories: Histories, events: npt.NDArray[np.int64], features: npt.NDArray[np.float32]
    ) -> Answers:
        answers = by_silence(histories, events, features)
        assert answers.decline is not None
        return answers._replace(decline=1.0 - answers.decline)

    highest = peaks(*visits("a", 80.0), ask=falling).probability.reached.max()
    assert 2.0 < GAP_DAYS - 0.5 < 100 * (1.0 - highest) < GAP_DAYS


def test_a_customer_counts_until_the_silence_ends() -> None:
    """That lies between the steps of the grid too; after a window the customer is gone."""
    assert days(peaks(*visits("a", 91.0)).probability.reached) == [10.0]
    assert days(peaks(*visits("a", 70.0)).probability.reached) == [20.0]


def test_a_customer_counts_once_with_the_highest_signal() -> None:
    twice = [*visits("a", 70.0), *visits("a", 90.0, start=80.0)]
    assert days(peaks(*twice).probability.reached) == [11.0]


def test_a_silence_that_had_reached_an_edge_before_raises_nobody() -> None:
    left = visits("a", FROM_DAY - 6)  # Last seen nine days before.
    found = peaks(*left).probability
    assert days(found.before) == [8.0]
    assert days(found.reached) == [20.0]
    assert (found.alerts_a_week(np.array([0.05, 0.08, 0.1, 0.21])) * found.weeks).tolist() == [0, 0, 1, 0]


def test_who_came_again_may_be_raised_anew_up_to_what_is_reached_then() -> None:
    again = [*visits("a", FROM_DAY - 6), *visits("a", 96.0, start=FROM_DAY + 10)]
    found = peaks(*again).probability
    edges = np.array([0.01, 0.05, 0.07, 0.08, 0.1, 0.18, 0.21])
    # Six days without a visit at the end; before, from day nine to nineteen within the time looked at.
    assert (found.alerts_a_week(edges) * found.weeks).tolist() == [1, 1, 0, 0, 1, 1, 0]


def test_who_has_no_usual_or_is_gone_for_a_window_does_not_count() -> None:
    assert days(peaks(*visits("new", 9.0)).probability.reached) == []
    assert days(peaks(*visits("gone", FROM_DAY - WINDOW_DAYS - 5)).probability.reached) == []


def test_clicks_end_no_silence_and_are_asked_about() -> None:
    clicks = peaks(*visits("a", 80.0), event("a", 90.0, "view", None)).probability
    # Twelve days after the last visit the silence of actions begins anew: .01 a day of it, to the end.
    assert days(clicks.reached) == [12.0]


def test_losses_are_money_and_probabilities_need_none() -> None:
    found = peaks(*visits("a", 80.0))
    assert found.loss is not None
    # A fifth of what is usual within twenty days.
    assert found.loss.reached.max() == pytest.approx(0.2 * 20 * 10 / GAP_DAYS, rel=0.1)
    assert peaks(*visits("a", 80.0, value=None), loss=False).loss is None


def test_a_usual_spend_of_nothing_never_reaches_an_edge() -> None:
    returns = [event("a", day + 0.5, "refund", 30.0) for day in np.arange(0.0, 80.0, 3.0)]
    found = peaks(*visits("a", 80.0), *returns)
    assert found.loss is not None
    assert found.loss.reached.max() == 0.0
    assert loss_bands_of(found.loss, 1.0) is None


def of(reached: list[float]) -> Peaks:
    return Peaks(np.zeros(len(reached)), np.array(reached), weeks=2.0, share=0.5)


def test_bands_of_losses_begin_where_the_wanted_numbers_are_reached() -> None:
    bands = loss_bands_of(of(np.geomspace(0.02, 9_000.0, 5_000).tolist()), 400.0)
    assert bands is not None
    edges, alerts = bands
    assert 0.0 < edges.watch < edges.high < edges.critical < 9_000.0
    assert alerts.watch == pytest.approx(400, rel=0.03)
    assert alerts.high == pytest.approx(200, rel=0.05)
    assert alerts.critical == pytest.approx(100, rel=0.06)
    assert [float(f"{edge:.3g}") for edge in (edges.watch, edges.high, edges.critical)] == [
        edges.watch,
        edges.high,
        edges.critical,
    ]


@pytest.mark.parametrize("losses", [[0.004], [7.0] * 9, [1e9, 1.0], [12_345.6, 12_345.7, -4.0]])
def test_bands_of_losses_ascend_whatever_the_losses(losses: list[float]) -> None:
    bands = loss_bands_of(of(losses), 5.0)
    assert bands is not None
    assert 0 < bands.edges.watch < bands.edges.high < bands.edges.critical
    assert bands.alerts_a_week.watch >= bands.alerts_a_week.high >= bands.alerts_a_week.critical >= 0


@pytest.mark.parametrize("losses", [[], [0.0], [-3.0, 0.0]])
def test_losses_of_nothing_have_no_bands(losses: list[float]) -> None:
    assert loss_bands_of(of(losses), 5.0) is None
