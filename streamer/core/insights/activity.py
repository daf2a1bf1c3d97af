"""Users by their activity, from what is known before a cut.

``new``: fewer than three days with an event of the churn kind (a purchase, or anything). ``lapsing``: of the
others, who have been without one for more than twice their own mean gap between such days. ``regular``: the
rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from streamer.core.insights.returns import returns_of
from streamer.core.insights.rhythm import LEAST_DAYS

SEGMENTS: Final = ("new", "regular", "lapsing")

_GAPS: Final = 2.0


def segments_of(
    features: npt.NDArray[np.float32], churn_types: ChurnTypes
) -> dict[str, npt.NDArray[np.bool_]]:
    """Who belongs to each of :data:`SEGMENTS`, ``[users]``: everybody to one."""
    returns = returns_of(features, churn_types)
    new = returns.days < LEAST_DAYS
    lapsing = ~new & (returns.since > _GAPS * returns.gap)
    return dict(zip(SEGMENTS, (new, ~new & ~lapsing, lapsing), strict=True))
