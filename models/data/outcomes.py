"""What customers did in the time after a moment: visit days and money, whatever is asked about them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories
from models.data.moments import Moments
from schemas.bundle.manifest import ChurnTypes
from streamer.core.history.token import PURCHASE, REFUND, are_actions


def visits_within(
    histories: Histories, moments: Moments, window_ms: int, churn_types: ChurnTypes
) -> npt.NDArray[np.int64]:
    """Distinct days with an event of the churn kind in the ``window_ms`` from each moment on, ``[moments]``.

    A day on which the customer had come before the moment is none of them.
    """
    days = np.concatenate([[0], np.cumsum(_begins_visit(histories, churn_types))])
    return days[_first_at(histories, moments, window_ms)] - days[moments.event + 1]


def spend_within(histories: Histories, moments: Moments, window_ms: int) -> npt.NDArray[np.float64]:
    """Money spent less refunds in the ``window_ms`` from each moment on; NaN where amounts are unknown."""
    types, values = histories.tokens["type"], histories.tokens["value"].astype(np.float64)
    money = np.where(types == PURCHASE, values, np.where(types == REFUND, -np.abs(values), 0.0))
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(money))])
    unknown = np.concatenate([[0], np.cumsum(np.isnan(money))])
    first, last = moments.event + 1, _first_at(histories, moments, window_ms)
    return np.where(unknown[last] > unknown[first], np.nan, sums[last] - sums[first])


def _begins_visit(histories: Histories, churn_types: ChurnTypes) -> npt.NDArray[np.bool_]:
    """Whether each event is its user's first of the churn kind on its day."""
    kinds = (
        histories.tokens["type"] == PURCHASE if churn_types == "purchase" else are_actions(histories.tokens)
    )
    of_kind = np.flatnonzero(kinds)
    days = histories.calendar.days(histories.times[of_kind].astype(np.float64))
    users = histories.user_of(of_kind)
    begins = np.zeros(len(kinds), np.bool_)
    same = (users[1:] == users[:-1]) & (days[1:] == days[:-1])
    begins[of_kind] = np.concatenate([[True], ~same])[: len(of_kind)]
    return begins


def _first_at(histories: Histories, moments: Moments, window_ms: int) -> npt.NDArray[np.int64]:
    """Index of the user's first event at the window's end or after, the user's end where there is none."""
    start = int(histories.times.min())
    longest = int(histories.times.max()) - start + 1
    user = histories.user_of(moments.event)
    until = np.clip(moments.time_ms.astype(np.int64) + window_ms - start, 0, longest)
    # Users in turn, each with a stretch of time of its own: one ascending sequence.
    places = histories.user * (longest + 1) + (histories.times - start)
    return np.searchsorted(places, user * (longest + 1) + until)
