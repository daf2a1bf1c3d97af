"""The check of a bundle's golden vectors, by the code that serves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.bundle.golden import Golden, GoldenAlert, GoldenHistory
from schemas.bundle.manifest import ArenaPrecision
from schemas.errors import BundleError
from streamer.core.history.aggregates import empty, fold
from streamer.core.history.token import TOKEN_BYTES, as_array
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import Encoding
from streamer.inference.graphs.transformer_graphs import Bundle, without_rebuild
from streamer.inference.outlook import AlertGraph
from streamer.inference.risk_model import OnnxRiskModel

TOLERANCE: Final[Mapping[ArenaPrecision, float]] = {"fp32": 1e-5, "fp16": 1e-3}
"""Relative to 1 + the expected magnitude: another processor may sum in another order, and fp16 rounds."""

_OF_AMOUNTS: Final = 0.1
"""Amounts are exponentials of sums, whose rounding they multiply."""


def check_golden(bundle: Bundle, golden: Golden, file: Path) -> bool:
    """Whether the rebuild graph gives the very bits of stepping, where there is one.

    Raises ``BundleError`` unless ``bundle`` gives what ``golden``, read from ``file``, expects.
    """
    exact, tolerance = True, TOLERANCE[bundle.transformer.precision]
    for number, history in enumerate(golden.histories):
        try:
            difference = max(_of_hidden(bundle, history), _of_heads(bundle, history))
            exact = exact and _rebuilds_exactly(bundle, history)
        except Exception as error:
            raise BundleError(
                f"{file}: golden history {number} cannot be run through the graphs: {error}. "
                "Train the bundle again."
            ) from error
        if not difference <= tolerance:
            raise BundleError(
                f"{file}: the graphs differ from golden history {number} by {difference:.2g}, more than "
                f"{tolerance:g}: the bundle does not fit this program or this ONNX Runtime; train it again."
            )
    return exact


def _of_hidden(bundle: Bundle, history: GoldenHistory) -> float:
    """Largest deviation of hidden vectors: stepped to event by event, and rebuilt from the last tokens."""
    stepping = OnnxRiskModel(bundle, arena_users=1)
    worst = 0.0
    for count, encoding in _encodings(history.tokens, stepping.ring_tokens):
        hidden = stepping.encode([encoding])
        if (expected := history.hidden.get(str(count))) is not None:
            rebuilt = OnnxRiskModel(bundle, arena_users=1).encode([encoding])
            worst = max(worst, _deviation(hidden[0], expected), _deviation(rebuilt[0], expected))
    return worst


def _of_heads(bundle: Bundle, history: GoldenHistory) -> float:
    """Largest deviation of what the heads say after the last token."""
    model = OnnxRiskModel(bundle, arena_users=1)
    *_, (_, newest) = _encodings(history.tokens, model.ring_tokens)
    tokens = as_array(history.tokens)
    silences = np.array([0, *model.silence_grid_ms], dtype=np.float64)
    aggregates = np.repeat(fold(empty(1), [tokens], model.calendar), len(silences), axis=0)
    features = features_at(aggregates, float(tokens["time"][-1]) + silences)
    hidden = np.repeat(model.encode([newest]), len(silences), axis=0)
    answers = model.query(hidden, features)
    worst = _deviation(answers.absence, history.probabilities)
    if answers.decline is not None and answers.spend is not None and history.decline is not None:
        worst = max(
            worst,
            _deviation(answers.decline, history.decline.probabilities),
            _OF_AMOUNTS * _deviation(answers.spend, history.decline.spend),
        )
    if model.alert_graph is not None and history.alert is not None:
        rings = [newest.ring] * len(silences)
        worst = max(worst, _of_alert(model.alert_graph, hidden, features, rings, history.alert))
    return worst


def _of_alert(
    graph: AlertGraph,
    hidden: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
    rings: list[bytes],
    expected: GoldenAlert,
) -> float:
    spend, types, categories = graph.run(hidden, features, rings)
    return max(
        _OF_AMOUNTS * _deviation(spend, expected.spend),
        _deviation(types[0], expected.types),
        _deviation(categories[0], expected.categories),
    )


def _rebuilds_exactly(bundle: Bundle, history: GoldenHistory) -> bool:
    """Whether stepping on from a rebuild, at each expected hidden vector, is stepping all the way.

    A GPU's sums depend on the size of the batch in any case, so there it is not asked.
    """
    if bundle.transformer.rebuild is None or bundle.transformer.device == "cuda":
        return True
    stepping = OnnxRiskModel(without_rebuild(bundle), arena_users=1)
    rebuilt: list[OnnxRiskModel] = []
    for count, encoding in _encodings(history.tokens, stepping.ring_tokens):
        if str(count) in history.hidden:
            rebuilt.append(OnnxRiskModel(bundle, arena_users=1))
        hidden = stepping.encode([encoding]).tobytes()
        if any(model.encode([encoding]).tobytes() != hidden for model in rebuilt):
            return False
    return True


def _encodings(tokens: bytes, capacity: int) -> Iterator[tuple[int, Encoding]]:
    """How many events there are, and the request to encode the newest of them: event by event."""
    for count in range(1, len(tokens) // TOKEN_BYTES + 1):
        first = max(0, count - capacity)
        ring = tokens[first * TOKEN_BYTES : count * TOKEN_BYTES]
        before = float(as_array(tokens)["time"][first - 1]) if first else math.nan
        yield count, Encoding("golden", ring, count - 1, before, appended=True)


def _deviation(found: npt.NDArray[np.floating], expected: tuple[float, ...]) -> float:
    wanted = np.array(expected)
    return float((np.abs(found - wanted) / (1.0 + np.abs(wanted))).max())
