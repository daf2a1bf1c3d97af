"""A bundle's foresight of declines beside baselines, on cuts whose window is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from models.baselines.decline import DeclineLessons, fit_decline
from models.baselines.risk_model import FeatureRisk
from models.data.examples import Decline, label
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.evaluation.candidates import Candidate, of_features, of_model
from models.evaluation.cut import Cut
from models.evaluation.heads import no_heads
from models.evaluation.result import Evaluation
from models.evaluation.run import BUNDLE, Asked, evaluate
from models.recipe import Task
from streamer.core.model.decline import DeclineTerms
from streamer.core.model.risk_model import RiskModel

ABSENCE: Final = "absence"
"""The bundle's own risk of absence, taken for one of decline."""


class BesideDecline(NamedTuple):
    """``evaluation``: ``None`` where no cut can be judged. ``left_out``: the cuts that cannot, epoch ms.

    ``trees``: LightGBM trained for decline, with which alerts can be compared.
    """

    evaluation: Evaluation | None
    left_out: list[int]
    trees: FeatureRisk


def judge_decline(
    histories: Histories,
    model: RiskModel,
    terms: DeclineTerms,
    at_ms: Sequence[int],
    asked: Asked,
    end: str,
    progress: Callable[[str, int], None],
) -> BesideDecline:
    """Judge ``model`` at those of ``at_ms`` (epoch ms) whose window lies in ``histories``.

    Asked are users with an event in the active days before a cut of whom something is usual. Nothing that is
    fitted here knows anything from ``asked.task.until_ms`` on, which is ``end`` in words.
    """
    progress("baselines of decline", 0)
    learnt = fit_decline(DeclineLessons(histories, asked.task, terms, end), asked.task, terms)
    cuts = decline_cuts(histories, at_ms, asked.task, terms)
    left_out = [at for at in at_ms if at not in {cut.at_ms for cut in cuts}]
    if not cuts:
        return BesideDecline(None, left_out, learnt["lightgbm"])

    def ignored(users: int) -> None:
        progress(BUNDLE, users)

    candidates: dict[str, Candidate] = {BUNDLE: of_model(model, ignored, "decline")}
    candidates |= {name: of_features(risk) for name, risk in learnt.items()}
    candidates[ABSENCE] = of_model(model, ignored)
    of_window = asked._replace(task=replace(asked.task, horizon_ms=terms.window_ms), target="decline")
    evaluation = evaluate(cuts, candidates, of_window, (*learnt, ABSENCE), no_heads)
    return BesideDecline(evaluation, left_out, learnt["lightgbm"])


def decline_cuts(histories: Histories, at_ms: Sequence[int], task: Task, terms: DeclineTerms) -> list[Cut]:
    """The cuts whose whole window lies in ``histories``, and on which some declined and others did not.

    ``churned`` is who declined.
    """
    end_ms = int(histories.times.max()) + 1
    times = np.array(sorted(at for at in at_ms if at + terms.window_ms <= end_ms), np.int64)
    if not len(times):
        return []
    moments = cut_moments(histories, times, task.active_ms)
    examples = label(
        histories,
        moments,
        task.horizon_ms,
        task.churn_types,
        end_ms,
        decline=Decline(terms.shop, terms.window_ms),
    )
    cuts: list[Cut] = []
    for at in times.tolist():
        here = (moments.time_ms == at) & ~np.isnan(examples.declined)
        declined = examples.declined[here]
        if len(np.unique(declined)) == 2:
            cuts.append(Cut(at, histories, moments.event[here], examples.features[here], declined))
    return cuts
