"""How many customers a week are raised for the first time where alerts go by decline.

The policy asks for more there than a high risk: a usual, and that it is overdue. Who came again and was
overdue again is still the same customer, so each counts once over the time looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories, aggregates_at
from models.fit.answers import Ask
from models.fit.shortfalls import LEAST_OVERDUE
from models.recipe import Task
from models.selection.alert_rate import Peaks, drawn, following_times, moments_asked, silences
from schemas.units import DAY_MS
from streamer.core.history.aggregates import Aggregates
from streamer.core.history.usual import usual_of
from streamer.core.model.decline import DeclineTerms, expected_loss
from streamer.core.model.features import features_at

Floats = npt.NDArray[np.float64]


class DeclinePeaks(NamedTuple):
    """The highest probability of a decline, and the highest expected loss where losses are foretold."""

    probability: Peaks
    loss: Peaks | None


def decline_peaks(
    ask: Ask,
    terms: DeclineTerms,
    histories: Histories,
    task: Task,
    silence_grid_ms: npt.NDArray[np.int64],
) -> DeclinePeaks:
    """Follow every customer with a usual through the last two windows, as the streamer's policy would.

    A signal counts from where the customer is overdue, at events other than purchases, at the steps of the
    silence grid, where being overdue begins and right before a silence ends, as long as it is shorter than a
    window. Of many events a part of the users, drawn with the task's seed, stands for all.
    """
    users = drawn(histories, task.seed)
    from_ms = task.until_ms - 2 * terms.window_ms
    events, moments = moments_asked(users, task.until_ms, from_ms, terms.window_ms, silence_grid_ms)
    recent = np.flatnonzero(users.times >= from_ms - terms.window_ms)
    distinct, back = np.unique(np.concatenate([recent, events]), return_inverse=True)
    aggregates = aggregates_at(users, distinct)[back]
    row, between = _between_steps(users, task, terms, recent, aggregates[: len(recent)])
    aggregates = np.concatenate([aggregates[len(recent) :], aggregates[row]])
    events, moments = np.concatenate([events, recent[row]]), np.concatenate([moments, between])

    usual = usual_of(aggregates, terms.shop, terms.churn_types)
    overdue = usual.known & (moments >= usual.overdue_from_ms(LEAST_OVERDUE))
    events, moments, aggregates = events[overdue], moments[overdue], aggregates[overdue]
    answers = ask(users, events, features_at(aggregates, moments))
    assert answers.decline is not None
    silence = silences(users, terms.churn_types)[events]
    weeks = 2 * terms.window_ms / (7 * DAY_MS)
    share = users.users / histories.users

    def peaks(signals: Floats) -> Peaks:
        before, reached = _of_customers(signals, silence, users.user_of(events), moments < from_ms)
        return Peaks(before, reached, weeks, share)

    if terms.loss is None:
        return DeclinePeaks(peaks(answers.decline), None)
    loss = expected_loss(answers, usual.spend[overdue], terms)
    return DeclinePeaks(peaks(answers.decline), peaks(loss))


def _between_steps(
    histories: Histories,
    task: Task,
    terms: DeclineTerms,
    recent: npt.NDArray[np.int64],
    aggregates: Aggregates,
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Numbers of ``recent`` events, and moments (epoch ms) after them to ask at beside the grid's.

    ``aggregates``: right after those events. The moments are where being overdue begins, and the last before
    the next event or before the silence is as long as a window: an edge is crossed between two steps too.
    """
    begins = usual_of(aggregates, terms.shop, terms.churn_types).overdue_from_ms(LEAST_OVERDUE)
    times = histories.times[recent]
    gone = histories.silent_since()[recent] + terms.window_ms
    ends = np.minimum(following_times(histories, task.until_ms)[recent], gone) - 1.0
    # Not for whom nothing is usual, whose beginning is NaN.
    overdue = np.flatnonzero((begins >= times) & (begins <= ends))
    last = np.flatnonzero((ends >= times) & (begins <= ends))
    return np.concatenate([overdue, last]), np.concatenate([begins[overdue], ends[last]])


def _of_customers(
    signals: Floats,
    silence: npt.NDArray[np.int64],
    user: npt.NDArray[np.int64],
    early: npt.NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """``before`` and ``reached`` of :class:`Peaks`, so that a customer counts once at most at any edge.

    All ``[questions]``; ``early``: before the time looked at. The silence that goes on from there raises
    nobody at edges that it had reached by then; later ones may.
    """
    numbers, first, number = np.unique(silence, return_index=True, return_inverse=True)
    before, reached = np.zeros(len(numbers)), np.zeros(len(numbers))
    np.maximum.at(before, number[early], signals[early])
    np.maximum.at(reached, number, signals)
    customers, customer = np.unique(user[first], return_inverse=True)
    begun = np.zeros(len(numbers), np.bool_)
    begun[number[early]] = True
    newest = np.full(len(customers), -1)
    np.maximum.at(newest, customer[begun], np.flatnonzero(begun))
    goes_on = newest >= 0
    had, going, later = (np.zeros(len(customers)) for _ in range(3))
    had[goes_on], going[goes_on] = before[newest[goes_on]], reached[newest[goes_on]]
    np.maximum.at(later, customer[~begun], reached[~begun])
    # Raised at the edges up to `later`, and at those above `had` up to `going`: mostly one stretch.
    apart = later < had
    return (
        np.concatenate([np.where(apart, had, 0.0), np.zeros(int(apart.sum()))]),
        np.concatenate([np.where(apart, going, np.maximum(going, later)), later[apart]]),
    )
