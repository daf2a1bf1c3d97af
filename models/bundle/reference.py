"""The typical active customer: the point from which an alert's drivers are measured."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from models.data.histories import Histories, aggregates_at
from models.data.moments import Moments
from models.fit.answers import answers_at
from models.fit.level import Levels
from models.network.network import Network
from models.network.sequences import hidden_after, sequences_of
from schemas.bundle.manifest import Reference
from streamer.core.history.aggregates import AGGREGATES
from streamer.core.model.features import features_at
from streamer.core.model.reference import as_ages, from_ages

_DECIMALS: Final = 6


@torch.no_grad()
def reference_point(network: Network, levels: Levels, histories: Histories, moments: Moments) -> Reference:
    """Medians and the mean hidden vector of ``moments`` (one at least), and the risk that is served there.

    With a level of decline the risk is that of a decline.
    """
    rows = aggregates_at(histories, moments.event)
    ages = np.round(_middle(as_ages(rows)), _DECIMALS)
    silence_ms = float(_middle(moments.time_ms - histories.silent_since()[moments.event]))
    sequences = sequences_of(histories, network.transformer.size)
    mean = hidden_after(network.transformer, sequences, moments.event).mean(dim=0).tolist()
    hidden = tuple(round(value, _DECIMALS) for value in mean)
    features = torch.from_numpy(features_at(from_ages(ages[np.newaxis]), np.array([silence_ms])))
    answers = answers_at(network, levels, network.head(torch.tensor([hidden]), features))
    risk = answers.absence if answers.decline is None else answers.decline
    return Reference(
        probability=round(float(risk[0]), _DECIMALS),
        silence_ms=silence_ms,
        aggregates={
            name: None if np.isnan(value) else value
            for name, value in zip(AGGREGATES, ages.tolist(), strict=True)
        },
        hidden=hidden,
    )


def _middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The upper median along the first axis; NaN, the date of what never happened, counts as the highest."""
    return np.sort(values, axis=0)[len(values) // 2]
