"""A bundle's risk of absence alone, to be compared with what else it foretells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from streamer.core.history.calendar import Calendar
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.outlook import Outlook
from streamer.core.model.reference import ReferencePoint
from streamer.core.model.risk_model import Encoding, RiskModel


@dataclass(frozen=True)
class AbsenceModel:
    """``whole``, as if it foretold absence alone."""

    whole: RiskModel
    decline: DeclineTerms | None = None
    reference: ReferencePoint | None = None

    @property
    def identity(self) -> bytes:
        """Another than that of the whole: what it answers is another."""
        return sha256(b"absence" + self.whole.identity).digest()[:8]

    @property
    def silence_grid_ms(self) -> tuple[int, ...]:
        """Those of the whole."""
        return self.whole.silence_grid_ms

    @property
    def ring_tokens(self) -> int:
        """As many as the whole needs."""
        return self.whole.ring_tokens

    @property
    def calendar(self) -> Calendar:
        """That of the whole."""
        return self.whole.calendar

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors of the whole."""
        return self.whole.encode(encodings)

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        """Of what the whole answers, absence."""
        return Answers(self.whole.query(hidden, features).absence)

    def outlook(
        self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32], rings: Sequence[bytes]
    ) -> Sequence[Outlook]:
        """What the whole expects."""
        return self.whole.outlook(hidden, features, rings)

    def forget(self, user_ids: Iterable[str]) -> None:
        """As the whole does."""
        self.whole.forget(user_ids)
