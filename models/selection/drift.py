"""Which features still mean the same when the bundle is served.

Where all histories begin with the data, a running total grows with the calendar: within the training
window it tells the date, and later it lies outside everything that was trained on. Such features mislead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.examples import Examples
from streamer.core.model.risk_metrics import auroc

LARGEST_DRIFT: Final = 0.15
"""A steady feature tells the last quarter of the moments from the first with an AUROC of .5 ± this."""


def steady_features(examples: Examples) -> npt.NDArray[np.int64]:
    """Columns of the features that do not drift through the examples, ascending; labels play no part."""
    quiet = examples.features[:, 0] > 0
    times = examples.moments.time_ms
    first, last = np.quantile(times[quiet], (0.25, 0.75))
    early, late = examples.features[quiet & (times <= first)], examples.features[quiet & (times >= last)]
    is_late = np.repeat([0.0, 1.0], [len(early), len(late)])
    columns = range(examples.features.shape[1])
    drifts = [auroc(is_late, np.concatenate([early[:, column], late[:, column]])) - 0.5 for column in columns]
    return np.flatnonzero(np.abs(drifts) <= LARGEST_DRIFT)
