"""What the core asks of a risk model; the ONNX sessions and the tests' models both answer it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from streamer.core.calendar import Calendar
from streamer.core.changes import Outlook
from streamer.core.reference import ReferencePoint


class Encoding(NamedTuple):
    """A user whose newest token is to be encoded.

    ``ring``: the user's packed tokens, newest last. ``position``: how many tokens came before the newest
    in the user's whole history. ``time_before_ring``: epoch ms of the last token that left the ring, NaN
    when none did. ``appended``: the newest token was simply added; otherwise (a late event) what a model
    has cached of the user is void.
    """

    user_id: str
    ring: bytes
    position: int
    time_before_ring: float
    appended: bool


class RiskModel(Protocol):
    """A loaded bundle. Every row's result must be the same bit by bit whatever its batch-mates."""

    @property
    def identity(self) -> bytes:
        """First 8 bytes of the bundle's SHA-256: names the model that made a hidden vector."""
        ...

    @property
    def silence_grid_ms(self) -> tuple[int, ...]:
        """The silences, ascending, at which a risk curve is asked."""
        ...

    @property
    def ring_tokens(self) -> int:
        """Tokens needed for an exact rebuild of a user's hidden vector: the ring's capacity."""
        ...

    @property
    def calendar(self) -> Calendar:
        """Whose days and hours the model was trained on; all days of a deployment are counted by it."""
        ...

    @property
    def reference(self) -> ReferencePoint | None:
        """From where drivers are measured; ``None`` where the bundle does not say."""
        ...

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]`` after each user's newest token; a user at most once a call."""
        ...

    def query(
        self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """Probability ``[queries]`` of no event of the churn kind within the horizon.

        ``hidden``: ``[queries, width]``; ``features``: ``[queries, len(FEATURES)]``.
        """
        ...

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> Sequence[Outlook]:
        """What to expect of each user at the moment of ``features``; only alerts ask.

        ``hidden`` ``[users, width]``, ``features`` ``[users, len(FEATURES)]``; ``rings``: the users' packed
        tokens, newest last. A model that cannot tell leaves every part open.
        """
        ...
