"""The typical active customer: the point from which an alert's drivers are measured."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from models.calibration import Platt
from models.examples import Moments
from models.histories import Histories, aggregates_at
from models.network import Network
from models.query_head import survival_logit
from models.sequences import hidden_of, sequences_of
from schemas.bundle import Reference
from streamer.core.features import features_at

_DECIMALS: Final = 6


@torch.no_grad()
def reference_point(network: Network, platt: Platt, histories: Histories, moments: Moments) -> Reference:
    """Median features and mean hidden vector of ``moments`` (one at least), and the served risk there."""
    features = _rounded(
        np.median(features_at(aggregates_at(histories, moments.event), moments.time_ms), axis=0)
    )
    hidden = hidden_of(
        network.transformer, sequences_of(histories, network.transformer.size), np.arange(histories.users)
    )
    mean = _rounded(hidden[moments.event].mean(dim=0).numpy())
    logit = survival_logit(network.head(torch.from_numpy(mean)[None], torch.from_numpy(features)[None]))
    (probability,) = platt.probability(logit.numpy().astype(np.float64)).tolist()
    return Reference(round(probability, _DECIMALS), _as_tuple(features), _as_tuple(mean))


def _rounded(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.round(values.astype(np.float64), _DECIMALS).astype(np.float32)


def _as_tuple(values: npt.NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(float(value), _DECIMALS) for value in values)
