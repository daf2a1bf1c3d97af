"""Risk models in closed form, each said twice: as the core asks for it, and from a plain history.

They differ in the length of the ring, in the silence grid, and in whether an event too old for the ring
lowers the risk, raises it, or leaves it as it is. In silence each one's risk rises, or rises and then
falls: what is above an edge at two moments is above it in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.core.model.answers import Answers
from streamer.core.model.features import FEATURES
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.testing.fixed_model import FixedModel, rounded
from tests.simulation.history import History, Sums

_SILENCE = FEATURES.index("silence")
_EVENTS = FEATURES.index("events")


class SimulatedModel(RiskModel, Protocol):
    """A model whose risk can also be told from a history alone."""

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        """What the risk must be at ``now_ms``, epoch milliseconds, without any of the core's arithmetic."""
        ...


class Rising(FixedModel):
    """Risk rises with silence, faster for users who came often."""

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        silence = math.log1p((now_ms - history.last_ms) / DAY_MS)
        rate = history.visit_days / ((now_ms - sums.first_ms) / DAY_MS + 1.0)
        logit = -3.0 + 1.3 * silence + 0.3 * silence * rate + 3.0 * _emptied(history)
        logit += 1e-3 * ((len(history.placed) - 1) % 10) + 1e-6 * ((history.before_ring_ms or 0) % 97)
        return _logistic(logit + 1e-7 * 26 * len(history.ring))


class Turning(FixedModel):
    """Risk rises with silence and falls again after a month, so alerts are left in silence, too."""

    identity = b"fixed-02"
    silence_grid_ms = tuple(int(days * DAY_MS) for days in (0.5, 1, 3, 9, 27, 50, 81, 160))
    ring_tokens = 5

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """As the other models, in another order: what one has encoded tells another nothing."""
        return super().encode(encodings)[:, ::-1]

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        silence = features[:, _SILENCE].astype(np.float64)
        logit = -3.0 + 1.8 * silence - 0.06 * np.expm1(silence) + 4.0 * hidden[:, -1].astype(np.float64)
        return Answers(rounded(1.0 / (1.0 + np.exp(-logit))))

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        del sums
        days = (now_ms - history.last_ms) / DAY_MS
        return _logistic(-3.0 + 1.8 * math.log1p(days) - 0.06 * days + 4.0 * _emptied(history))


class Counting(FixedModel):
    """Risk rises with silence, and with every event however old."""

    identity = b"fixed-03"
    silence_grid_ms = tuple(int(days * DAY_MS) for days in (0.75, 2.5, 6, 20, 70))
    ring_tokens = 12

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        counted = 1.2 * features[:, _SILENCE].astype(np.float64) + 0.5 * features[:, _EVENTS].astype(
            np.float64
        )
        return Answers(rounded(1.0 / (1.0 + np.exp(4.5 - counted - 3.0 * hidden[:, 0].astype(np.float64)))))

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        silence = math.log1p((now_ms - history.last_ms) / DAY_MS)
        return _logistic(-4.5 + 1.2 * silence + 0.5 * math.log1p(sums.events) + 3.0 * _emptied(history))


MODELS: Sequence[SimulatedModel] = (Rising(), Turning(), Counting())


def _emptied(history: History) -> float:
    newest = history.ring[-4:]
    return sum(event.kind == "remove_from_cart" for event in newest) / len(newest)


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
