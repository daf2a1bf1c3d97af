"""Golden vectors: real histories and what the trained network, in its training form, makes of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from models.data.histories import Histories
from models.fit.level import Levels
from models.heads.heads import Heads
from models.heads.material import recent_of
from models.network.network import Network
from models.network.query_head import Query
from models.network.sequences import hidden_after, sequences_of
from models.recipe import Size
from schemas.bundle.golden import Golden, GoldenAlert, GoldenDecline, GoldenHistory
from streamer.core.history.aggregates import empty, fold
from streamer.core.model.features import features_at

HISTORIES: Final = 4
LONGEST: Final = 100
"""Events a golden history: enough for a window to be overwritten and for a full ring to lose its oldest."""

_DIGITS: Final = 7


@torch.no_grad()
def golden_vectors(
    network: Network,
    levels: Levels,
    heads: Heads | None,
    histories: Histories,
    silence_grid_s: tuple[int, ...],
) -> Golden:
    """Expected outputs for users of different lengths of history, from one event to :data:`LONGEST`."""
    lengths = np.diff(histories.starts)
    order = np.argsort(lengths, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, HISTORIES).astype(int)]
    return Golden(
        tuple(_history(network, levels, heads, histories, int(user), silence_grid_s) for user in chosen)
    )


def _history(
    network: Network,
    levels: Levels,
    heads: Heads | None,
    histories: Histories,
    user: int,
    silence_grid_s: tuple[int, ...],
) -> GoldenHistory:
    start = int(histories.starts[user])
    tokens = histories.tokens[start : min(int(histories.starts[user + 1]), start + LONGEST)]
    alone = histories._replace(tokens=tokens, starts=np.array([0, len(tokens)]))
    sequences = sequences_of(alone, network.transformer.size)
    hidden = hidden_after(network.transformer, sequences, np.arange(len(tokens)))
    silences = 1000.0 * np.array([0, *silence_grid_s])
    aggregates = np.repeat(fold(empty(1), [tokens], histories.calendar), len(silences), axis=0)
    features = torch.from_numpy(features_at(aggregates, float(tokens["time"][-1]) + silences))
    query = Query(network.head, *levels).eval()
    newest = hidden[-1:].expand(len(silences), -1)
    answers = query(newest, features)
    probabilities, *decline = answers if isinstance(answers, tuple) else (answers,)
    window = network.transformer.size.window
    counts = sorted({1, 2, window, window + 1, len(tokens)} & set(range(1, len(tokens) + 1)))
    return GoldenHistory(
        tokens.tobytes(),
        {str(count): _rounded(hidden[count - 1]) for count in counts},
        _rounded(probabilities),
        heads and _alert(heads, newest, features, alone, network.transformer.size),
        GoldenDecline(*map(_rounded, decline)) if decline else None,
    )


def _alert(
    heads: Heads, hidden: torch.Tensor, features: torch.Tensor, history: Histories, size: Size
) -> GoldenAlert:
    """What the heads say after the last token of ``history``, at each of the silences of ``features``."""
    recent = recent_of(history, np.array([len(history.tokens) - 1]), size)
    spend, types, categories = heads(hidden, features, recent.expand(len(features), -1, -1))
    return GoldenAlert(_rounded(spend), _rounded(types[0]), _rounded(categories[0]))


def _rounded(values: torch.Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values.tolist())
