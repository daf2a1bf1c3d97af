"""The alert graph: what a bundle expects of users, asked only for the alerts that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from schemas.bundle.manifest import AlertHeads, Manifest
from schemas.event import EVENT_TYPES
from streamer.core.history.token import TOKEN_BYTES, as_array
from streamer.core.model.alert_inputs import recent_codes
from streamer.core.model.outlook import Likely, Outlook
from streamer.inference.graphs.padding import padded

ALERT_BATCH: Final = 256


class AlertGraph:
    """Runs the alert graph of a bundle; every row's result is the same whatever its batch-mates."""

    def __init__(self, session: onnxruntime.InferenceSession, manifest: Manifest, heads: AlertHeads) -> None:
        self._session = session
        self._features = len(manifest.features)
        self._tokens = manifest.exact_tokens
        self._known_types = manifest.token_encoding.types
        self._buckets = manifest.token_encoding.category_buckets
        self._types = np.array([EVENT_TYPES.index(name) for name in heads.types], np.int64)
        names = np.array([name is not None for name in heads.categories], np.bool_)
        self._named = np.flatnonzero(names)
        self._categories = heads.categories
        self._spend = heads.spend

    def outlook(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> list[Outlook]:
        """See :meth:`streamer.core.model.risk_model.RiskModel.outlook`."""
        outlooks: list[Outlook] = []
        for start in range(0, len(rings), ALERT_BATCH):
            part = slice(start, start + ALERT_BATCH)
            answers = self.run(hidden[part], features[part], rings[part])
            outlooks += [self._outlook(*row) for row in zip(*answers, strict=True)]
        return outlooks

    def run(
        self,
        hidden: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        rings: Sequence[bytes],
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The graph's outputs: ``spend`` ``[users]``, ``types`` and ``categories`` ``[users, n]``."""
        held = np.array([len(ring) // TOKEN_BYTES for ring in rings], np.int64)
        tokens = as_array(b"".join(rings))
        newest = np.cumsum(held) - 1
        recent = recent_codes(tokens, newest, held, self._tokens, self._buckets, self._known_types)
        known = features[:, : self._features]
        inputs = {"hidden": padded(hidden), "features": padded(known), "recent": padded(recent)}
        spend, types, categories = cast(list[npt.NDArray[np.float32]], self._session.run(None, inputs))
        return spend[: len(rings)], types[: len(rings)], categories[: len(rings)]

    def _outlook(
        self, spend: np.float32, types: npt.NDArray[np.float32], categories: npt.NDArray[np.float32]
    ) -> Outlook:
        action = int(self._types[types[self._types].argmax()]) if len(self._types) else None
        category = int(self._named[categories[self._named].argmax()]) if len(self._named) else None
        return Outlook(
            float(spend) if self._spend else None,
            None if action is None else Likely(EVENT_TYPES[action], float(types[action])),
            None
            if category is None
            else Likely(self._categories[category] or "", float(categories[category])),
        )
