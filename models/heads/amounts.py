"""What users spent within a horizon, and the questions asked about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories, aggregates_at
from models.data.moments import Moments, cut_moments
from models.data.outcomes import spend_within
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
