"""What a user is worth, from the running aggregates."""

from __future__ import annotations

import math

from streamer.core.history.aggregates_row import alone

_VALUE_45D = alone("value_45d")


def spend_rate(aggregates: bytes) -> float:
    """Money a day, as of the last event: the decayed spend over the mean age of what it still counts.

    ``aggregates``: one user's packed float64 columns. Never negative.
    """
    decayed = float(_VALUE_45D.unpack_from(aggregates)[0])
    return max(decayed, 0.0) * math.log(2) / 45.0
