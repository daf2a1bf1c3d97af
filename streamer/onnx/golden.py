"""The check of a bundle's golden vectors, by the code that serves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.errors import BundleError
from schemas.golden import Golden, GoldenHistory
from streamer.core.aggregates import empty, fold
from streamer.core.features import features_at
from streamer.core.model import Encoding
from streamer.core.token import TOKEN_BYTES, as_array
from streamer.onnx.graphs import Bundle
from streamer.onnx.risk_model import OnnxRiskModel

TOLERANCE: Final = 1e-5
"""Relative to 1 + the expected magnitude: another processor may sum in another order."""


def check_golden(bundle: Bundle, golden: Golden, file: Path) -> None:
    """Raise ``BundleError`` unless ``bundle`` gives what ``golden``, read from ``file``, expects."""
    model = OnnxRiskModel(bundle, cache_users=1)
    for number, history in enumerate(golden.histories):
        try:
            difference = _difference(model, history)
        except Exception as error:
            raise BundleError(
                f"{file}: golden history {number} cannot be run through the graphs: {error}. "
                "Train the bundle again."
            ) from error
        if not difference <= TOLERANCE:
            raise BundleError(
                f"{file}: the graphs differ from golden history {number} by {difference:.2g}, more than "
                f"{TOLERANCE:g}: the bundle does not fit this program or this ONNX Runtime; train it again."
            )


def _difference(model: OnnxRiskModel, history: GoldenHistory) -> float:
    """Largest deviation from what is expected; the history is served event by event."""
    model.forget_all()
    hidden = np.empty((1, 0), np.float32)
    worst = 0.0
    for count in range(1, len(history.tokens) // TOKEN_BYTES + 1):
        hidden = model.encode([_encoding(history.tokens, count, model.ring_tokens)])
        if (expected := history.hidden.get(str(count))) is not None:
            worst = max(worst, _deviation(hidden[0], expected))
    return max(worst, _deviation(_probabilities(model, history.tokens, hidden), history.probabilities))


def _encoding(tokens: bytes, count: int, capacity: int) -> Encoding:
    first = max(0, count - capacity)
    ring = tokens[first * TOKEN_BYTES : count * TOKEN_BYTES]
    before = float(as_array(tokens)["time"][first - 1]) if first else math.nan
    return Encoding("golden", ring, count - 1, before, appended=True)


def _probabilities(
    model: OnnxRiskModel, tokens: bytes, hidden: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    history = as_array(tokens)
    silences = np.array([0, *model.silence_grid_ms], dtype=np.float64)
    aggregates = np.repeat(fold(empty(1), [history], model.calendar), len(silences), axis=0)
    features = features_at(aggregates, float(history["time"][-1]) + silences)
    return model.query(np.repeat(hidden, len(silences), axis=0), features)


def _deviation(found: npt.NDArray[np.floating], expected: tuple[float, ...]) -> float:
    wanted = np.array(expected)
    return float((np.abs(found - wanted) / (1.0 + np.abs(wanted))).max())
