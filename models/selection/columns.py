"""Which features the query head may use: those that hold still, or all but the one that is the date.

Features that drift may mislead (:mod:`models.selection.drift`), or be the best there are: where all customers
came in one season, everything that counts their purchases drifts. The validation cuts lie after all that the
first fit knows, so they show which it is.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from models.data.examples import Decline, Examples
from models.data.histories import Histories
from models.fit.fitting import Fit
from models.loop.epochs import Run
from models.recipe import Task
from models.selection.ablation import is_better, log_losses
from models.selection.drift import steady_features
from models.selection.validation import calibrated, earlier_material
from streamer.core.model.features import FEATURES

STEADY: Final = "steady features"
ALL: Final = "all features"

TIMELESS: Final = np.array([column for column, name in enumerate(FEATURES) if name != "tenure"])
"""Tenure grows with the calendar and means nothing else that counts and gaps do not."""


def choose_columns(
    histories: Histories,
    examples: Examples,
    asked: Examples,
    task: Task,
    run: Run,
    decline: Decline | None = None,
) -> npt.NDArray[np.int64]:
    """Columns of the features, ascending: the steady ones of ``examples``, unless more are measurably better.

    ``asked``: the validation's questions. After an interruption the steady ones.
    """
    steady = steady_features(examples)
    if run.interruption.requested or not len(np.setdiff1d(TIMELESS, steady)):
        return steady
    data = earlier_material(histories, steady, task, decline=decline)
    losses: list[npt.NDArray[np.float64]] = []
    for label, columns in ((STEADY, steady), (ALL, TIMELESS)):
        network = Fit(label, dataclasses.replace(data, columns=columns), task, run).network("aggregates")
        losses.append(log_losses(asked.churned, calibrated(network, histories, asked).risks))
    users = histories.user_of(asked.moments.event)
    return TIMELESS if is_better(losses[1], losses[0], users) else steady
