"""What users spent within a horizon, and the questions asked about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.examples import Moments, cut_moments
from models.data.histories import Histories, aggregates_at
from streamer.core.history.token import PURCHASE, REFUND
from streamer.core.model.features import features_at


class SpendExamples(NamedTuple):
    """``moments`` with ``features`` ``[examples, n]`` and the ``spend`` ``[examples]`` that followed."""

    moments: Moments
    features: npt.NDArray[np.float32]
    spend: npt.NDArray[np.float64]


def spend_examples(
    histories: Histories, cuts_ms: npt.NDArray[np.int64], horizon_ms: int, active_ms: float
) -> SpendExamples:
    """Users with an event in the ``active_ms`` before each cut, all of whose amounts after it are known.

    The events of ``histories`` must reach one horizon beyond the last cut.
    """
    moments = cut_moments(histories, cuts_ms, active_ms)
    spend = spend_within(histories, moments, horizon_ms)
    known = ~np.isnan(spend)
    moments = Moments(moments.event[known], moments.time_ms[known])
    aggregates = aggregates_at(histories, moments.event)
    return SpendExamples(moments, features_at(aggregates, moments.time_ms), np.maximum(spend[known], 0.0))


def spend_within(histories: Histories, moments: Moments, horizon_ms: int) -> npt.NDArray[np.float64]:
    """Money spent less refunds in the ``horizon_ms`` from each moment on; NaN where amounts are unknown."""
    types, values = histories.tokens["type"], histories.tokens["value"].astype(np.float64)
    money = np.where(types == PURCHASE, values, np.where(types == REFUND, -np.abs(values), 0.0))
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(money))])
    unknown = np.concatenate([[0], np.cumsum(np.isnan(money))])
    first, last = moments.event + 1, _first_at(histories, moments, horizon_ms)
    return np.where(unknown[last] > unknown[first], np.nan, sums[last] - sums[first])


def _first_at(histories: Histories, moments: Moments, horizon_ms: int) -> npt.NDArray[np.int64]:
    """Index of the user's first event at a moment's horizon or after, the user's end where there is none."""
    start = int(histories.times.min())
    longest = int(histories.times.max()) - start + 1
    user = np.searchsorted(histories.starts, moments.event, side="right") - 1
    until = np.clip(moments.time_ms.astype(np.int64) + horizon_ms - start, 0, longest)
    # Users in turn, each with a stretch of time of its own: one ascending sequence.
    places = histories.user * (longest + 1) + (histories.times - start)
    return np.searchsorted(places, user * (longest + 1) + until)
