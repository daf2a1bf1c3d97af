"""How often, and how recently, a user gave the sign of life whose absence is churn: read off the features.

Where purchases count it is days with a purchase, else days with any event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from streamer.core.model.features import FEATURES

Floats = npt.NDArray[np.float64]


class Returns(NamedTuple):
    """Each ``[queries]``. ``days``: distinct ones; ``gap``: days between two of them on average, meaningless
    below two; ``since``: days since the last, since the first event where there was none.
    """

    days: Floats
    gap: Floats
    since: Floats


def returns_of(features: npt.NDArray[np.float32], churn_types: ChurnTypes) -> Returns:
    """From features ``[queries, len(FEATURES)]``, which hold the ``log1p`` of all three."""
    names = (
        ("purchase_days", "purchase_gap_mean", "since_purchase")
        if churn_types == "purchase"
        else ("visit_days", "gap_mean", "silence")
    )
    days, gap, since = np.expm1(features[:, [FEATURES.index(name) for name in names]].astype(np.float64)).T
    return Returns(np.round(days), gap, since)
