"""Where the bands of a bundle begin: in risks, and where losses are foretold in money too."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from models.data.examples import Decline
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.fit.answers import answers_of
from models.fit.level import Levels
from models.fit.loss_scale import loss_scale
from models.fit.training import logits_of
from models.network.network import Network
from models.recipe import SILENCE_GRID_S, Task
from models.selection.alert_rate import risk_peaks
from models.selection.bands import ALERTS_A_WEEK_PER_USER, Bands, bands_of, loss_bands_of
from models.selection.decline_alerts import decline_peaks
from models.selection.loss_method import Comparison
from schemas.bundle.decline import ExpectedLoss
from streamer.core.history.token import PURCHASE
from streamer.core.model.decline import DeclineTerms, LossTerms

_GRID_MS = 1000 * np.array(SILENCE_GRID_S)


class Edges(NamedTuple):
    """Bands of the risk, and how losses are found with the bands of them; ``None`` without amounts."""

    bands: Bands
    loss: ExpectedLoss | None = None


def absence_edges(network: Network, levels: Levels, histories: Histories, task: Task) -> Edges:
    """Of the network that is served: another one's risks may be spread otherwise."""
    peaks = risk_peaks(
        lambda *asked: levels.absence.probability(logits_of(network, *asked)),
        histories,
        task,
        task.until_ms - 2 * task.horizon_ms,
        _GRID_MS,
    )
    return Edges(bands_of(peaks, alerts_a_week(histories, task)))


def decline_edges(
    network: Network,
    levels: Levels,
    histories: Histories,
    task: Task,
    decline: Decline,
    compared: Comparison,
) -> Edges:
    """The same where alerts go by decline; losses by the method of ``compared``, at their own level.

    Without losses where the events have no amounts, or where nobody's is above 0.
    """
    ask = partial(answers_of, network, levels)
    loss: LossTerms | None = None
    if has_amounts(histories):
        scale = loss_scale(ask, histories, task, decline, compared.chosen)
        loss = LossTerms(compared.chosen, scale)
    terms = DeclineTerms(decline.window_ms, decline.shop, task.churn_types, loss)
    peaks = decline_peaks(ask, terms, histories, task, _GRID_MS)
    wanted = alerts_a_week(histories, task)
    bands = bands_of(peaks.probability, wanted)
    laid = None if peaks.loss is None else loss_bands_of(peaks.loss, wanted)
    if loss is None or laid is None:
        return Edges(bands)
    return Edges(
        bands,
        ExpectedLoss(
            method=loss.method,
            scale=loss.scale,
            edges=laid.edges,
            alerts_a_week=laid.alerts_a_week,
            methods=compared.figures,
        ),
    )


def has_amounts(histories: Histories) -> bool:
    """Whether any purchase has an amount above 0."""
    values = histories.tokens["value"][histories.tokens["type"] == PURCHASE]
    return bool((values > 0.0).any())


def alerts_a_week(histories: Histories, task: Task) -> float:
    """What was asked for, or what the number of active users suggests."""
    if task.alerts_a_week is not None:
        return task.alerts_a_week
    active = len(cut_moments(histories, np.array([task.until_ms]), task.active_ms).event)
    return ALERTS_A_WEEK_PER_USER * active
