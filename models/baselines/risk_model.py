"""A risk that needs nothing but features, as the core's model of risk: no sequence, no cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from streamer.core.history.calendar import Calendar
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.outlook import NO_OUTLOOK, Outlook
from streamer.core.model.reference import ReferencePoint
from streamer.core.model.risk_model import Encoding, RiskModel

FeatureRisk = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
"""Risks ``[queries]`` of features ``[queries, len(FEATURES)]``."""


@dataclass(frozen=True)
class FeatureRiskModel:
    """A :class:`~streamer.core.model.risk_model.RiskModel` that answers ``risk`` at each moment.

    It is the risk of absence, or where ``decline`` says what that is, of a decline.
    """

    name: str
    risk: FeatureRisk
    silence_grid_ms: tuple[int, ...]
    ring_tokens: int
    calendar: Calendar
    reference: ReferencePoint | None = None
    decline: DeclineTerms | None = None

    @property
    def identity(self) -> bytes:
        """Names the model among those of one comparison."""
        return sha256(self.name.encode()).digest()[:8]

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Nothing is known beyond the features: zeros, ``[asked, 1]``."""
        return np.zeros((sum(encoding.asked for encoding in encodings), 1), np.float32)

    def query(
        self,
        hidden: npt.NDArray[np.float32],  # noqa: ARG002 - the protocol's
        features: npt.NDArray[np.float32],
    ) -> Answers:
        """See :class:`~streamer.core.model.risk_model.RiskModel`."""
        risks = self.risk(features)
        # Of a decline nothing else is asked: neither absence nor spend has a say in its signal.
        return Answers(risks) if self.decline is None else Answers(risks, risks, np.zeros(len(risks)))

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],  # noqa: ARG002 - the protocol's
        features: npt.NDArray[np.float32],  # noqa: ARG002 - the protocol's
        rings: Sequence[bytes],
    ) -> list[Outlook]:
        """Only risk is compared: nothing else is told."""
        return [NO_OUTLOOK for _ in rings]

    def forget(self, user_ids: Iterable[str]) -> None:
        """Nothing is cached."""


def as_model(name: str, risk: FeatureRisk, like: RiskModel, decline: DeclineTerms | None = None) -> RiskModel:
    """``risk`` as a model that is asked at the silences of ``like`` and counts days by its calendar."""
    return FeatureRiskModel(
        name, risk, like.silence_grid_ms, like.ring_tokens, like.calendar, decline=decline
    )
