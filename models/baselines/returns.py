"""How often, and how recently, a user gave the sign of life whose absence is churn: read off the features.

Where purchases count it is days with a purchase, else days with any event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.configuration import ChurnTypes
from streamer.core.features import FEATURES

Floats = npt.NDArray[np.float64]


class Returns(NamedTuple):
    """Each ``[queries]``. ``count``: distinct days; ``gap``: days between two of them on average, meaningless
    below two; ``since``: days since the last, since the first event where there was none.
    """

    count: Floats
    gap: Floats
    since: Floats


def returns_of(features: npt.NDArray[np.float32], churn_types: ChurnTypes) -> Returns:
    """From features ``[queries, len(FEATURES)]``, which hold the ``log1p`` of all three."""
    names = (
        ("purchase_days", "purchase_gap_mean", "since_purchase")
        if churn_types == "purchase"
        else ("visit_days", "gap_mean", "silence")
    )
    count, gap, since = (np.expm1(features[:, FEATURES.index(name)].astype(np.float64)) for name in names)
    return Returns(np.round(count), gap, since)
