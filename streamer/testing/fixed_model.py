"""A risk model of fixed arithmetic that answers in closed form, for tests of everything around a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from schemas.event import EVENT_TYPES
from schemas.units import DAY_MS
from streamer.core.history.aggregates import AGGREGATES
from streamer.core.history.calendar import UTC, Calendar
from streamer.core.history.token import TOKEN_BYTES, as_array, place
from streamer.core.history.usual import ShopMean
from streamer.core.model.answers import Answers
from streamer.core.model.decline import DeclineTerms, LossTerms
from streamer.core.model.features import FEATURES
from streamer.core.model.outlook import Likely, Outlook
from streamer.core.model.reference import ReferencePoint
from streamer.core.model.risk_model import Encoding

_SILENCE = FEATURES.index("silence")
_RATE = FEATURES.index("visit_rate")


def one_by_one(encodings: Sequence[Encoding], ring_tokens: int) -> Iterator[Encoding]:
    """Encodings that ask for the same, each for one token and with no more tokens than count."""
    for whole in encodings:
        for later in range(whole.asked - 1, -1, -1):
            end = len(whole.ring) - later * TOKEN_BYTES
            first = later == whole.asked - 1
            start = 0 if first else max(end - ring_tokens * TOKEN_BYTES, 0)
            before = whole.time_before_ring
            if start:
                before = float(place(whole.ring, start - TOKEN_BYTES)[0])
            ring = whole.ring[start:end]
            yield Encoding(whole.user_id, ring, whole.position - later, before, whole.appended)


def rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """To single precision, as a graph's answers are."""
    return values.astype(np.float32).astype(np.float64)


def _probability(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rounded(1.0 / (1.0 + np.exp(-logit)))


class FixedModel:
    """Risk rises with silence, faster for users who came often; carts emptied raise it at once.

    The hidden vector holds what the newest tokens say: the share of ``remove_from_cart`` among the last
    four, and the position, so that a wrong ring or a wrong position shows in the risk.
    """

    identity = b"fixed-01"
    calendar: Calendar = UTC
    silence_grid_ms = tuple(int(days * DAY_MS) for days in (1, 2, 4, 8, 16, 32, 64))
    ring_tokens = 8
    decline: DeclineTerms | None = None
    reference = ReferencePoint(2.0 * DAY_MS, np.ones(len(AGGREGATES)), np.array([0, 4, 0, 0], np.float32))

    def encode(self, encodings: Sequence[Encoding]) -> npt.NDArray[np.float32]:
        rows = []
        for encoding in one_by_one(encodings, self.ring_tokens):
            types = as_array(encoding.ring)["type"][-4:]
            before = 0.0 if np.isnan(encoding.time_before_ring) else encoding.time_before_ring % 97
            rows.append([np.mean(types == 4), encoding.position % 10, before, len(encoding.ring)])
        return np.array(rows, dtype=np.float32)

    def query(self, hidden: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> Answers:
        """Of single precision, as a graph's answers are."""
        silence = features[:, _SILENCE].astype(np.float64)
        rate = features[:, _RATE].astype(np.float64)
        emptied = hidden[:, 0].astype(np.float64)
        # Not a matrix product: its last bit depends on how many rows it is given.
        detail = (hidden[:, 1:].astype(np.float64) * (1e-3, 1e-6, 1e-7)).sum(axis=1)
        logit = -3.0 + 1.3 * silence + 0.3 * silence * rate + 3.0 * emptied + detail
        absence = _probability(logit)
        if self.decline is None:
            return Answers(absence)
        spend = np.float32(20.0) / (1.0 + features[:, _SILENCE])
        return Answers(absence, _probability(0.8 * logit - 0.4 * rate), spend.astype(np.float64))

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> list[Outlook]:
        """More to spend with each token of the ring; the newest one's type and category again."""
        outlooks = []
        for emptied, silence, ring in zip(
            hidden[:, 0].tolist(), features[:, _SILENCE].tolist(), rings, strict=True
        ):
            newest, chance = as_array(ring)[-1], 1.0 / (1.0 + emptied + silence)
            outlooks.append(
                Outlook(
                    float(len(ring)),
                    Likely(EVENT_TYPES[newest["type"]], chance),
                    Likely(str(newest["category"]), chance / 2.0),
                )
            )
        return outlooks

    def forget(self, user_ids: Iterable[str]) -> None:
        """Nothing is cached."""


class FixedDeclineModel(FixedModel):
    """Also foretells who declines, and what is spent; alerts may go by the money expected to be lost."""

    identity = b"fixed-de"
    decline: DeclineTerms | None = DeclineTerms(
        56 * DAY_MS, ShopMean(0.1, 10.0, 2.0, 20.0), "purchase", LossTerms("decline", 0.5)
    )
