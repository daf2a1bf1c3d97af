"""The typical active customer, from whom drivers are measured; and aggregates that two users can share.

Times in aggregates are moments, which belong to one user. As ages they can be mixed with another user's:
``first_time`` is then how long before the last event the first one was, ``last_purchase_time`` how long
before it the last purchase was, ``first_purchase_time`` how long before the last purchase the first
was, all in milliseconds; ``last_time`` is 0. Decayed sums are as of the last event in either form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.core.history.aggregates import COLUMN, Aggregates

_FIRST, _LAST = COLUMN["first_time"], COLUMN["last_time"]
_FIRST_BOUGHT, _LAST_BOUGHT = COLUMN["first_purchase_time"], COLUMN["last_purchase_time"]


class ReferencePoint(NamedTuple):
    """``silence_ms``: since the last event. ``ages``: aggregates ``[columns]``. ``hidden`` ``[width]``."""

    silence_ms: float
    ages: npt.NDArray[np.float64]
    hidden: npt.NDArray[np.float32]


def as_ages(rows: Aggregates) -> Aggregates:
    """Aggregates ``[users, columns]`` with ages in place of moments; exact."""
    ages = rows.copy()
    ages[:, _FIRST] = rows[:, _LAST] - rows[:, _FIRST]
    ages[:, _LAST_BOUGHT] = rows[:, _LAST] - rows[:, _LAST_BOUGHT]
    ages[:, _FIRST_BOUGHT] = rows[:, _LAST_BOUGHT] - rows[:, _FIRST_BOUGHT]
    ages[:, _LAST] = 0.0
    return ages


def from_ages(ages: Aggregates) -> Aggregates:
    """The opposite of :func:`as_ages`, of users whose last event was at time 0."""
    rows = ages.copy()
    rows[:, _FIRST] = -ages[:, _FIRST]
    rows[:, _LAST_BOUGHT] = -ages[:, _LAST_BOUGHT]
    rows[:, _FIRST_BOUGHT] = rows[:, _LAST_BOUGHT] - ages[:, _FIRST_BOUGHT]
    return rows
