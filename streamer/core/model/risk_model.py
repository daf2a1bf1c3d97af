"""What the core asks of a risk model; the ONNX sessions and the tests' models both answer it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from streamer.core.history.calendar import Calendar
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.outlook import Outlook
from streamer.core.model.reference import ReferencePoint


class Encoding(Struct, frozen=True, gc=False):
    """A user whose newest tokens are to be encoded.

    ``ring``: the user's packed tokens, newest last. ``position``: how many tokens came before the newest
    in the user's whole history. ``time_before_ring``: epoch ms of the last token that left the ring, NaN
    when none did. ``appended``: the newest tokens were simply added; otherwise (a late event) what a model
    has cached of the user is void. ``asked``: how many of the newest tokens; ``ring`` is
    then the one after the first of these, with the others behind it.
    """

    user_id: str
    ring: bytes
    position: int
    time_before_ring: float
    appended: bool
    asked: int = 1


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

    @property
    def decline(self) -> DeclineTerms | None:
        """What decline means, where the risk is that of a decline; ``None`` where it is that of absence."""
        ...

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[asked, width]`` after each token asked for, user by user, the newest last.

        A user comes at most once a call. The vector after a token is that of the tokens up to it, of which
        the last ``ring_tokens`` count, whether it is asked for alone or with others.
        """
        ...

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        """What is foretold of each query.

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

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drop whatever is cached of these users; it is made anew when they are next encoded."""
        ...
