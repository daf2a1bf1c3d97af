"""What is made of a model's answers: the risk, what is usual, and what alerts go by."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.core.history.aggregates import Aggregates
from streamer.core.history.usual import Usual, usual_of
from streamer.core.model.decline import expected_loss
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import RiskModel

Floats = npt.NDArray[np.float64]

AlertBy = Literal["probability", "loss"]
"""Alerts go by the risk, or by the money that is expected to be lost."""


class Assessment(NamedTuple):
    """Of queries, each ``[queries]``. ``risk``: by the model's definition, of decline or of absence.

    ``loss``: money within the window, NaN where it is not known. ``usual``: ``None`` for a model that does
    not know of any.
    """

    absence: Floats
    risk: Floats
    loss: Floats
    usual: Usual | None

    def at(self, chosen: slice | npt.NDArray[np.int64]) -> Assessment:
        """Of some of the queries."""
        usual = None if self.usual is None else Usual(*(values[chosen] for values in self.usual))
        return Assessment(self.absence[chosen], self.risk[chosen], self.loss[chosen], usual)

    def signals(self, alert_by: AlertBy) -> Floats:
        """What alerts go by; NaN where too little is usual to tell."""
        if alert_by == "loss":
            return self.loss
        return self.risk if self.usual is None else np.where(self.usual.known, self.risk, np.nan)


def assess(
    model: RiskModel,
    aggregates: Aggregates,
    hidden: npt.NDArray[np.float32],
    moments: Floats,
    repeat: int = 1,
) -> Assessment:
    """Ask ``model`` about users at ``moments`` (epoch ms), ``repeat`` of them for each user in turn.

    ``aggregates`` ``[users, columns]``, ``hidden`` ``[users, width]``; ``moments`` ``[users * repeat]``.
    """
    terms = model.decline
    usual = None if terms is None else usual_of(aggregates, terms.shop, terms.churn_types)
    if repeat > 1:
        aggregates, hidden = np.repeat(aggregates, repeat, axis=0), np.repeat(hidden, repeat, axis=0)
        usual = None if usual is None else Usual(*(np.repeat(values, repeat) for values in usual))
    answers = model.query(hidden, features_at(aggregates, moments))
    if terms is None or usual is None or answers.decline is None:
        return Assessment(answers.absence, answers.absence, np.full(len(moments), np.nan), None)
    loss = expected_loss(answers, usual.spend, terms)
    return Assessment(answers.absence, answers.decline, loss, usual)
