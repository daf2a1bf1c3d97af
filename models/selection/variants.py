"""Training one variant alone: for comparisons beside other models."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.examples import labelled_moments
from models.data.histories import Histories
from models.fit.calibration import Platt
from models.fit.fitting import Fit
from models.fit.level import levels_of
from models.fit.material import material
from models.fit.training import logits_of
from models.loop.epochs import Run
from models.network.network import Network
from models.recipe import Task, Variant
from models.selection.columns import choose_columns
from models.selection.validation import questions, validate

FINAL_FIT = "final fit"


class TrainedVariant(NamedTuple):
    """A network and its calibration, as a bundle would hold them."""

    variant: Variant
    network: Network
    platt: Platt

    def risks(
        self,
        histories: Histories,
        events: npt.NDArray[np.int64],
        features: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float64]:
        """Risk ``[questions]``, asked with ``features`` after ``events`` of ``histories``."""
        return self.platt.probability(logits_of(self.network, histories, events, features))


def train_variant(
    histories: Histories, task: Task, variant: Variant, run: Run | None = None
) -> TrainedVariant:
    """Train ``variant`` on the events before ``task.until_ms``; ``histories`` may go on after that.

    As for a bundle, a first fit without the last two horizons gives features and epochs, and a second on
    everything gives the network and its level. Raises :class:`~schemas.errors.ConfigurationError` where the
    data do not suffice.
    """
    run = run or Run()
    known = histories.before(task.until_ms)
    examples = labelled_moments(known, task, task.until_ms)
    asked = questions(known, task)
    columns = choose_columns(known, examples, asked, task, run)
    validated = validate(known, columns, asked, task, run, [variant])
    nobody = np.zeros(known.users, bool)
    final = Fit(FINAL_FIT, material(known, examples, columns, task, nobody), task, run, validated.epochs)
    network = final.network(variant)
    return TrainedVariant(variant, network, levels_of(network, known, task, None).absence)
