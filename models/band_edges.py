"""Default band edges: a watched user is more likely than not to churn, and every band can be reached."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.bundle import BandEdges

WATCH: Final = 0.5


def band_edges(longest_silence_risks: npt.NDArray[np.float64]) -> BandEdges:
    """Edges for a model whose risks at the end of the silence grid are ``longest_silence_risks``.

    An alert in silence is raised where the risk crosses an edge, so the edge is the chance that the alert is
    right. The upper two divide what lies between watch and the highest risks into three parts. Where
    even those hardly exceed one half, the bands divide the upper half of what is reached.
    """
    highest = float(np.quantile(longest_silence_risks, 0.99))
    watch = WATCH if highest > WATCH + 0.06 else highest / 2.0
    high, critical = watch + (highest - watch) / 3.0, watch + 2.0 * (highest - watch) / 3.0
    return BandEdges(watch=round(watch, 3), high=round(high, 3), critical=round(critical, 3))
