"""What a trained network answers at given levels, as the bundle's graph will."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from models.data.histories import Histories
from models.fit.level import Levels
from models.fit.training import foretold_decline, outputs_of
from models.network.network import Network
from models.network.query_head import survival_logit
from streamer.core.model.answers import Answers

Ask = Callable[[Histories, npt.NDArray[np.int64], npt.NDArray[np.float32]], Answers]
"""Answers ``[questions]`` about histories, asked after ``events`` with ``features``."""


def answers_of(
    network: Network,
    levels: Levels,
    histories: Histories,
    events: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
) -> Answers:
    """Answers ``[questions]``, asked with ``features`` after ``events`` of ``histories``."""
    return answers_at(network, levels, outputs_of(network, histories, events, features))


def answers_at(network: Network, levels: Levels, outputs: Tensor) -> Answers:
    """Answers ``[questions]`` that the query head's ``outputs`` ``[questions, n]`` stand for."""
    absence = levels.absence.probability(survival_logit(outputs).numpy().astype(np.float64))
    if levels.decline is None:
        return Answers(absence)
    logits, spend = foretold_decline(network, outputs)
    return Answers(absence, levels.decline.probability(logits), levels.spend * spend)
