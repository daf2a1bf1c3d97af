"""Default band edges: the signals at which the data give a stated number of alerts a week."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.selection.alert_rate import Peaks
from schemas.bundle.bands import BandAlerts, BandAmounts, BandEdges

ALERTS_A_WEEK_PER_USER: Final = 0.02
"""Of the users active at the end of training: what is raised a week where nothing else is said."""

_DECIMALS: Final = 3
_STEP: Final = 10.0**-_DECIMALS


_HIGHEST_TO_LOWEST: Final = 1e6
"""Of the amounts that are tried, each a hundredth below the one before."""


class Bands(NamedTuple):
    """Where bands begin, and how many alerts a week came so far in the time looked at."""

    edges: BandEdges
    alerts_a_week: BandAlerts


class LossBands(NamedTuple):
    """The same of expected losses, in the currency of the data."""

    edges: BandAmounts
    alerts_a_week: BandAlerts


def bands_of(peaks: Peaks, alerts_a_week: float) -> Bands:
    """Edges at which ``alerts_a_week`` reach watch, half of them high and a quarter critical.

    Also how many do so at the edges found, which are rounded and at least a step apart: where risks hardly
    differ, or too few are ever reached, the numbers are others than wished.
    """
    candidates = np.arange(1.0 - _STEP, 0.0, -_STEP).round(_DECIMALS)
    edges, reached = _laid(peaks, candidates, alerts_a_week)
    return Bands(BandEdges(*edges), BandAlerts(*reached))


def loss_bands_of(peaks: Peaks, alerts_a_week: float) -> LossBands | None:
    """The same of ``peaks`` that are amounts, laid to three digits; ``None`` where nobody's is above 0."""
    highest = float(peaks.reached.max(initial=0.0))
    if highest <= 0.0:
        return None
    steps = np.arange(0.0, np.log(_HIGHEST_TO_LOWEST), 0.01)
    amounts = [float(f"{amount:.3g}") for amount in (highest * np.exp(-steps)).tolist()]
    edges, reached = _laid(peaks, np.unique(amounts)[::-1], alerts_a_week)
    return LossBands(BandAmounts(*edges), BandAlerts(*reached))


def _laid(
    peaks: Peaks, candidates: npt.NDArray[np.float64], alerts_a_week: float
) -> tuple[list[float], list[float]]:
    """Watch, high and critical among ``candidates``, which descend, and how often a week each is reached."""
    rates = peaks.alerts_a_week(candidates)

    def edge(wanted: float) -> int:
        enough = np.flatnonzero(rates >= wanted)
        return int(enough[0]) if len(enough) else int(np.argmax(rates))

    critical = edge(alerts_a_week / 4.0)
    high = max(edge(alerts_a_week / 2.0), critical + 1)
    watch = max(edge(alerts_a_week), high + 1)
    # At the lowest risks there may be no room left below.
    watch = min(watch, len(candidates) - 1)
    high = min(high, watch - 1)
    critical = min(critical, high - 1)
    chosen = [watch, high, critical]
    return candidates[chosen].tolist(), rates[chosen].round(2).tolist()
