"""Cross validation by users: how well the chosen variant does for users whom it has never met."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.histories import Histories
from models.fit.calibration import fit_platt
from models.fit.fitting import Fit
from models.fit.training import logits_of
from models.loop.epochs import Run
from models.plan import fold_name
from models.recipe import Task
from models.selection.ablation import figures
from models.selection.validation import Validated, earlier_material, questions
from schemas.errors import ConfigurationError


class Fold(NamedTuple):
    """``questions`` about the users of one fold, answered by a fit without them."""

    questions: int
    figures: dict[str, float]


def cross_validate(
    histories: Histories,
    columns: npt.NDArray[np.int64],
    task: Task,
    validated: Validated,
    folds: int,
    run: Run,
) -> list[Fold]:
    """Fit the chosen variant once without each fold's users, calibrate it on the others, judge it on the
    fold's.

    Time is split as well: fits know nothing of the last two horizons, questions come from within them. After
    an interruption only the folds that were done are given. Raises
    :class:`~schemas.errors.ConfigurationError` where a fold has too few users.
    """
    asked = questions(histories, task)
    of_user = np.random.default_rng(task.seed).permutation(histories.users) % folds
    fold_of = of_user[histories.user_of(asked.moments.event)]
    made: list[Fold] = []
    for fold in range(folds):
        inside = fold_of == fold
        if len(np.unique(asked.churned[inside])) < 2:
            raise ConfigurationError(
                f"--folds {folds}: in one of the folds all users churned or none did: take fewer folds"
            )
        data = earlier_material(histories, columns, task, of_user == fold)
        fit = Fit(fold_name(fold, folds), data, task, run, validated.epochs)
        network = fit.network(validated.variant)
        if run.interruption.requested:
            break
        logits = logits_of(network, histories, asked.moments.event, asked.features)
        platt = fit_platt(logits[~inside], asked.churned[~inside])
        risks = platt.probability(logits[inside])
        made.append(Fold(int(inside.sum()), figures(asked.churned[inside], risks)))
    return made
