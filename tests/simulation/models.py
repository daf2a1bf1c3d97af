"""Risk models in closed form, each said twice: as the core asks for it, and from a plain history.

They differ in the length of the ring, in the silence grid, and in whether an event too old for the ring
lowers the risk, raises it, or leaves it as it is. In silence each one's risk, and the money expected to be
lost, rises, or rises and then falls: what is above an edge at two moments is above it in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from schemas.bundle.manifest import ChurnTypes
from schemas.units import DAY_MS
from streamer.core.history.usual import ShopMean
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.core.model.features import FEATURES
from streamer.core.model.risk_model import Encoding, RiskModel
from streamer.testing.fixed_model import FixedModel, rounded
from tests.simulation.history import History, Sums, Usual
from tests.simulation.usual import usual_of

_SILENCE = FEATURES.index("silence")
_EVENTS = FEATURES.index("events")


class Foretold(NamedTuple):
    """Of a user at a moment; ``loss``: money, ``None`` where it is not known."""

    risk: float
    absence: float
    loss: float | None = None


class SimulatedModel(RiskModel, Protocol):
    """A model whose answers can also be told from a history alone, without any of the core's arithmetic."""

    def foretold(self, history: History, sums: Sums, now_ms: int) -> Foretold:
        """What must be foretold at ``now_ms``, epoch milliseconds."""
        ...

    def usual(self, history: History, sums: Sums) -> Usual | None:
        """What is usual for the user; ``None`` where nothing is, or the model knows of none."""
        ...


class OfAbsence(FixedModel):
    """The risk is that of absence."""

    def foretold(self, history: History, sums: Sums, now_ms: int) -> Foretold:
        risk = self.expected_risk(history, sums, now_ms)
        return Foretold(risk, risk)

    def usual(self, history: History, sums: Sums) -> Usual | None:
        del history, sums
        return None

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        """What the risk must be at ``now_ms``, epoch milliseconds."""
        raise NotImplementedError


class Rising(OfAbsence):
    """Risk rises with silence, faster for users who came often."""

    def expected_risk(self, history: History, sums: Sums, now_ms: int) -> float:
        silence = math.log1p((now_ms - history.last_ms) / DAY_MS)
        rate = history.visit_days / ((now_ms - sums.first_ms) / DAY_MS + 1.0)
        logit = -3.0 + 1.3 * silence + 0.3 * silence * rate + 3.0 * _emptied(history)
        logit += 1e-3 * ((len(history.placed) - 1) % 10) + 1e-6 * ((history.before_ring_ms or 0) % 97)
        return _logistic(logit + 1e-7 * 26 * len(history.ring))


class Turning(OfAbsence):
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


class Counting(OfAbsence):
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


class OfDecline(FixedModel):
    """The risk is that of a decline; visits are days with an event of ``churn_types``."""

    terms: ClassVar[DeclineTerms]
    loss: ClassVar[LossTerms]

    def __init__(self, churn_types: ChurnTypes) -> None:
        self.identity = type(self).identity + churn_types[:2].encode()
        self.meant = self.terms._replace(churn_types=churn_types, loss=self.loss)
        self.decline = self.meant

    def usual(self, history: History, sums: Sums) -> Usual | None:
        return usual_of(history, sums, self.meant)

    def usual_spend(self, history: History, sums: Sums) -> float | None:
        """What the user spends within the window; ``None`` where nothing is usual."""
        usual = self.usual(history, sums)
        return None if usual is None else usual.spend * self.terms.window_ms / DAY_MS


class Declining(OfDecline):
    """A decline gets likelier with silence, and less so with every event however old."""

    identity = b"fixed4"
    silence_grid_ms = tuple(int(days * DAY_MS) for days in (1, 3, 7, 15, 30, 55))
    ring_tokens = 6
    terms = DeclineTerms(56 * DAY_MS, ShopMean(0.08, 20.0, 0.8, 25.0), "purchase")
    loss = LossTerms("decline", 0.9)

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        silence = features[:, _SILENCE].astype(np.float64)
        counted = 1.5 * silence - 0.4 * features[:, _EVENTS].astype(np.float64)
        decline = 1.0 / (1.0 + np.exp(2.0 - counted - 3.0 * hidden[:, 0].astype(np.float64)))
        absence = 1.0 / (1.0 + np.exp(3.0 - silence))
        return Answers(rounded(absence), rounded(decline), np.zeros(len(silence)))

    def foretold(self, history: History, sums: Sums, now_ms: int) -> Foretold:
        silence = math.log1p((now_ms - history.last_ms) / DAY_MS)
        counted = 1.5 * silence - 0.4 * math.log1p(sums.events)
        risk, spend = _logistic(counted + 3.0 * _emptied(history) - 2.0), self.usual_spend(history, sums)
        return Foretold(risk, _logistic(silence - 3.0), None if spend is None else 0.9 * risk * spend)


class Fading(OfDecline):
    """A decline gets likelier with silence, and less likely again; less is spent where it is likely."""

    identity = b"fixed5"
    silence_grid_ms = tuple(int(days * DAY_MS) for days in (0.5, 2, 5, 11, 23, 40, 90))
    ring_tokens = 9
    terms = DeclineTerms(28 * DAY_MS, ShopMean(0.3, 15.0, 1.5, 10.0), "purchase")
    loss = LossTerms("spend", 0.95)

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        silence = features[:, _SILENCE].astype(np.float64)
        logit = -3.5 + 2.4 * silence - 0.12 * np.expm1(silence) + 4.0 * hidden[:, 0].astype(np.float64)
        decline = 1.0 / (1.0 + np.exp(-logit))
        absence = 1.0 / (1.0 + np.exp(2.0 - 0.5 * silence))
        return Answers(rounded(absence), rounded(decline), rounded(30.0 * (1.0 - decline)))

    def foretold(self, history: History, sums: Sums, now_ms: int) -> Foretold:
        days = (now_ms - history.last_ms) / DAY_MS
        risk = _logistic(-3.5 + 2.4 * math.log1p(days) - 0.12 * days + 4.0 * _emptied(history))
        spend = self.usual_spend(history, sums)
        loss = None if spend is None else 0.95 * (spend - 30.0 * (1.0 - risk))
        return Foretold(risk, _logistic(0.5 * math.log1p(days) - 2.0), loss)


ABSENCE_MODELS: Sequence[SimulatedModel] = (Rising(), Turning(), Counting())


def decline_models(churn_types: ChurnTypes) -> tuple[SimulatedModel, ...]:
    """Models of decline for a shop in which visits are days with an event of ``churn_types``."""
    return Declining(churn_types), Fading(churn_types)


def _emptied(history: History) -> float:
    newest = history.ring[-4:]
    return sum(event.kind == "remove_from_cart" for event in newest) / len(newest)


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
