"""What a model answers to queries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """Each ``[queries]``; ``None`` where the model does not foretell decline.

    ``absence``: the probability of no event of the churn kind within the horizon. ``decline``: that of fewer
    than half of the usual visit days within the window. ``spend``: money expected within the window.
    """

    absence: Floats
    decline: Floats | None = None
    spend: Floats | None = None
